// LayerNormalization.
#include "ops/layer_normalization.h"

#include <algorithm>
#include <cmath>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// Whether `shape` broadcasts to `x` without growing it. A symbol of x may turn out to be any number.
bool fits(const Shape& x, const Shape& shape) {
  const auto both = ops::broadcast(x, shape);
  if (!both || both->size() != x.size()) return false;
  for (size_t i = 0; i < x.size(); ++i)
    if (x[i].is_static() && (*both)[i] != x[i]) return false;
  return true;
}

struct Statistics {
  double mean, inverse_deviation;
};
Statistics statistics(const ops::Reader& x, int64_t begin, int64_t count, double epsilon) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[begin + i];
  const double mean = sum / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) squares += (x[begin + i] - mean) * (x[begin + i] - mean);
  return {mean, 1 / std::sqrt(squares / static_cast<double>(count) + epsilon)};
}

}  // namespace

std::vector<Inferred> LayerNormalization::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  context.in(1);
  ops::float_input(context, "T1", 0);
  ops::same_dtype(context, "T2", 0, 3);
  ops::check(context, stash_type == 1 || stash_type == 16, "A1", fmt::format("stash_type is {}", stash_type), "use 1 (f32) or 16 (bf16)");
  const auto first = ops::checked_axis(context, "S1", axis, static_cast<int64_t>(x.shape.size()));
  for (int i = 1; i < 3; ++i)
    if (const Operand* operand = context.input(i))
      ops::check(context, fits(x.shape, operand->type.shape), "S2",
                 fmt::format("{} of shape {} does not broadcast to {}", context.input_name(i), to_string(operand->type.shape),
                             to_string(x.shape)));
  std::vector<Inferred> out{ops::output(context, x.dtype, x.shape)};
  Shape reduced = x.shape;
  for (auto i = static_cast<size_t>(first.value_or(0)); i < reduced.size(); ++i) reduced[i] = 1;
  while (static_cast<int>(out.size()) < std::min(context.output_count(), 3))
    out.push_back(ops::output(context, stash_type == 16 ? DType::bf16 : DType::f32, reduced));
  return out;
}

std::vector<HostTensor> LayerNormalization::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in, ops::kAnyOpset, 3);
  const auto& dims = in[0]->dims();
  const int64_t first = *ops::normalize_axis(axis, in[0]->rank()), columns = ops::product_of(dims, static_cast<size_t>(first), dims.size());
  const HostTensor* bias = ops::optional_input(in, 2);
  const HostTensor one_zero(DType::f32, {});
  const ops::Reader x(*in[0]), gamma(*in[1]), beta(bias == nullptr ? one_zero : *bias);
  const ops::Writer y(out[0]), mean(out[1]), deviation(out[2]);
  Statistics row{};
  const std::array strides{ops::broadcast_strides(in[1]->dims(), dims),
                           ops::broadcast_strides(bias == nullptr ? one_zero.dims() : bias->dims(), dims)};
  ops::walk(dims, strides, [&](int64_t i, const std::array<int64_t, 2>& at) {
    if (i % columns == 0) {
      row = statistics(x, i, columns, epsilon);
      mean(i / columns, row.mean);
      deviation(i / columns, row.inverse_deviation);
    }
    y(i, (x[i] - row.mean) * row.inverse_deviation * gamma[at[0]] + beta[at[1]]);
  });
  return out;
}

}  // namespace octet
