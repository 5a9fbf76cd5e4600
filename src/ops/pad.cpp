// Pad with a constant.
#include "ops/pad.h"

#include <algorithm>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

void fill(HostTensor& out, const HostTensor& value) {
  const auto size = size_of(out.dtype());
  std::byte* data = out.mutable_data();
  for (int64_t i = 0; i < out.count(); ++i) std::memcpy(data + static_cast<size_t>(i) * size, value.bytes().data(), size);
}

}  // namespace

std::vector<Inferred> Pad::infer(InferContext& context) const {
  const TensorType& data = context.in(0).type;
  const auto rank = static_cast<int64_t>(data.shape.size());
  ops::index_input(context, "T1", 1);
  if (context.input(3) != nullptr) ops::index_input(context, "T1", 3);
  if (const Operand* value = context.input(2)) {
    if (value->type.dtype != data.dtype)
      context.violation("T2", fmt::format("{} is {} and the data is {}", context.input_name(2), value->type.dtype, data.dtype),
                        fmt::format("store {} as {}", context.input_name(2), data.dtype));
    ops::check(context, ops::count_of(value->type.shape) == ops::Monomial{}, "T2",
               fmt::format("{} is not one element", context.input_name(2)));
  }
  ops::check(context, mode == "constant", "A1", fmt::format("mode is \"{}\"", mode), "only constant padding is supported");
  auto axes = ops::checked_axes(context, "S2", 3, {}, rank);
  if (!axes) return {{data, {}}};
  if (context.input(3) == nullptr)
    for (int64_t i = 0; i < rank; ++i) axes->push_back(i);
  const auto pads = ops::known_ints(context.input(1));
  if (!ops::check(context, pads && pads->size() == 2 * axes->size(), "S1",
                  fmt::format("{} is not a known vector of {}", context.input_name(1), 2 * axes->size()), "make it a constant"))
    return {{data, {}}};
  Shape shape = data.shape;
  for (size_t i = 0; i < axes->size(); ++i) {
    Dim& dim = shape[static_cast<size_t>((*axes)[i])];
    const auto total = ops::sum((*pads)[i], (*pads)[axes->size() + i]);
    auto size = total ? ops::sum(dim, *total) : std::nullopt;
    if (!size && total && !dim.is_static()) size = fresh_dim();
    if (!ops::check(context, size && size->value >= 0, "S3",
                    fmt::format("padding {} of {} leaves no valid size", (*axes)[i], to_string(data.shape))))
      return {{data, {}}};
    dim = *size;
  }
  return {ops::output(context, data.dtype, std::move(shape))};
}

std::vector<HostTensor> Pad::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (const HostTensor* value = ops::optional_input(in, 2)) fill(out[0], *value);
  if (in[0]->count() == 0) return out;
  std::vector<int64_t> dims = in[0]->dims();
  ops::Strided to{0, ops::strides_of(out[0].dims())}, from{0, ops::strides_of(dims)};
  const HostTensor* axes = ops::optional_input(in, 3);
  const auto pads = ops::integers(*in[1]);
  const size_t count = pads.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    const auto axis = axes == nullptr ? i : static_cast<size_t>(*ops::normalize_axis(axes->at_int(static_cast<int64_t>(i)), in[0]->rank()));
    const int64_t before = pads[i], after = pads[count + i];
    dims[axis] = std::max<int64_t>(0, dims[axis] + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0));
    if (dims[axis] == 0) return out;
    if (before > 0) to.offset += before * to.strides[axis];
    else from.offset -= before * from.strides[axis];
  }
  ops::copy_strided(out[0], to, *in[0], from, dims);
  return out;
}

}  // namespace octet
