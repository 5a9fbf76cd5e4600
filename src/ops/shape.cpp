// Shape and Size.
#include "ops/shape.h"

#include <algorithm>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// Python's bounds: from the end if negative, clamped to [0, rank].
int64_t bound(int64_t at, int64_t rank) { return std::clamp<int64_t>(at < 0 ? std::max(at, -rank) + rank : at, 0, rank); }

}  // namespace

std::vector<Inferred> ShapeOp::infer(InferContext& context) const {
  const Shape& x = context.in(0).type.shape;
  const auto rank = static_cast<int64_t>(x.size());
  const int64_t first = bound(start, rank), last = std::max(first, bound(end, rank));
  return {ops::output(context, DType::i64, {last - first}, Shape(x.begin() + first, x.begin() + last))};
}

std::vector<HostTensor> ShapeOp::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto& dims = in[0]->dims();
  const int64_t first = bound(start, in[0]->rank());
  for (int64_t i = 0; i < out[0].count(); ++i) out[0].set_int(i, dims[static_cast<size_t>(first + i)]);
  return out;
}

std::vector<Inferred> SizeOp::infer(InferContext& context) const {
  return {ops::output(context, DType::i64, {}, Shape{ops::product_dim(context.in(0).type.shape)})};
}

std::vector<HostTensor> SizeOp::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  out[0].set_int(0, in[0]->count());
  return out;
}

namespace ops {

std::vector<std::vector<NodeId>> data_readers(const Graph& graph) {
  auto readers = graph.consumers();
  for (auto& list : readers) std::erase_if(list, [&](NodeId id) { return graph.node(id).as<ShapeOp>() || graph.node(id).as<SizeOp>(); });
  return readers;
}

}  // namespace ops
}  // namespace octet
