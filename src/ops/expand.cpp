// Expand and Tile.
#include "ops/expand.h"

#include <algorithm>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

bool all_nonnegative(const Shape& sizes) {
  return std::all_of(sizes.begin(), sizes.end(), [](const Dim& d) { return d.value >= 0; });
}

// The elements of a vector operand, or fresh symbols if only its length is known; nullopt after a violation.
std::optional<Shape> sizes(InferContext& context, int i) {
  const auto length = ops::known_length(context.in(i));
  if (!ops::check(context, length && *length <= ops::kMaxElements, "S1",
                  fmt::format("{} is not a vector of known length", context.input_name(i)),
                  "give it as a constant or compute it from Shape"))
    return std::nullopt;
  auto known = ops::known_elements(context.input(i));
  if (!known) {
    known.emplace();
    for (int64_t n = 0; n < *length; ++n) known->push_back(fresh_dim());
  }
  if (!ops::check(context, all_nonnegative(*known), "S2", fmt::format("{} holds {}", context.input_name(i), to_string(*known))))
    return std::nullopt;
  return known;
}

// Known elements of a scalar or vector repeated to fill `shape`.
std::optional<Shape> repeated(const Operand& x, const Shape& shape) {
  const auto elements = ops::known_elements(&x);
  if (!elements || elements->empty() || shape.size() != 1 || !shape[0].is_static() || shape[0].value > ops::kMaxElements)
    return std::nullopt;
  Shape out;
  for (int64_t i = 0; i < shape[0].value; ++i) out.push_back((*elements)[static_cast<size_t>(i) % elements->size()]);
  return out;
}

}  // namespace

std::vector<Inferred> Expand::infer(InferContext& context) const {
  const Operand& x = context.in(0);
  ops::i64_input(context, "T1", 1);
  ops::no_codes(context, "T2", 0);
  const auto wanted = sizes(context, 1);
  if (!wanted) return {{x.type, {}}};
  auto shape = ops::broadcast(x.type.shape, *wanted);
  if (!ops::check(context, shape.has_value(), "S3", fmt::format("{} and {} do not broadcast", to_string(x.type.shape), to_string(*wanted))))
    return {{x.type, {}}};
  auto elements = repeated(x, *shape);
  if (*shape == x.type.shape) elements = ops::known_elements(&x);
  return {ops::output(context, x.type.dtype, std::move(*shape), std::move(elements))};
}

std::vector<HostTensor> Expand::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto& dims = out[0].dims();
  ops::copy_strided(out[0], {0, ops::strides_of(dims)}, *in[0], {0, ops::broadcast_strides(in[0]->dims(), dims)}, dims);
  return out;
}

std::vector<Inferred> Tile::infer(InferContext& context) const {
  const Operand& x = context.in(0);
  ops::i64_input(context, "T1", 1);
  ops::no_codes(context, "T2", 0);
  const auto repeats = sizes(context, 1);
  if (!repeats) return {{x.type, {}}};
  if (!ops::check(context, repeats->size() == x.type.shape.size(), "S1",
                  fmt::format("{} repeats for the shape {}", repeats->size(), to_string(x.type.shape))))
    return {{x.type, {}}};
  Shape shape;
  for (size_t i = 0; i < repeats->size(); ++i)
    shape.push_back(ops::times(x.type.shape[i], (*repeats)[i]).value_or(Dim(INT64_MAX)));  // an overflow, refused by its size
  auto elements = repeated(x, shape);
  if (shape.empty()) elements = ops::known_elements(&x);
  return {ops::output(context, x.type.dtype, std::move(shape), std::move(elements))};
}

std::vector<HostTensor> Tile::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto repeats = ops::integers(*in[1]);
  const auto strides = ops::strides_of(in[0]->dims());
  std::vector<int64_t> dims;  // [repeat, size] for every axis
  ops::Strided from{0, {}};
  for (size_t i = 0; i < repeats.size(); ++i) {
    dims.insert(dims.end(), {repeats[i], in[0]->dims()[i]});
    from.strides.insert(from.strides.end(), {0, strides[i]});
  }
  ops::copy_strided(out[0], {0, ops::strides_of(dims)}, *in[0], from, dims);
  return out;
}

}  // namespace octet
