// Transpose.
#include "ops/transpose.h"

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// perm as axes in [0, rank), reversed if empty; nullopt if it is no permutation.
std::optional<std::vector<int64_t>> permutation(const std::vector<int64_t>& perm, size_t rank) {
  std::vector<int64_t> axes = perm;
  if (perm.empty())
    for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(rank - 1 - i));
  return axes.size() == rank ? ops::normalize_axes(axes, static_cast<int64_t>(rank)) : std::nullopt;
}

}  // namespace

std::vector<Inferred> Transpose::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  const auto axes = permutation(perm, x.shape.size());
  if (!ops::check(context, axes.has_value(), "S1",
                  fmt::format("perm [{}] is no permutation of the axes of {}", fmt::join(perm, ","), to_string(x.shape))))
    return {{x, {}}};
  Shape shape;
  for (const int64_t axis : *axes) shape.push_back(x.shape[static_cast<size_t>(axis)]);
  return {ops::output(context, x.dtype, std::move(shape), ops::known_elements(&context.in(0)))};
}

std::vector<HostTensor> Transpose::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto strides = ops::strides_of(in[0]->dims());
  ops::Strided from{0, {}};
  const auto axes = permutation(perm, strides.size());
  for (const int64_t axis : *axes) from.strides.push_back(strides[static_cast<size_t>(axis)]);
  ops::copy_strided(out[0], {0, ops::strides_of(out[0].dims())}, *in[0], from, out[0].dims());
  return out;
}

}  // namespace octet
