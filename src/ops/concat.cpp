// Concat and Split.
#include "ops/concat.h"

#include <algorithm>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// The elements of rank-1 inputs, one after the other, if all are known.
std::optional<Shape> joined(InferContext& context) {
  Shape out;
  for (int i = 0; i < context.input_count(); ++i) {
    const auto elements = ops::known_elements(context.input(i));
    if (!elements || out.size() > static_cast<size_t>(ops::kMaxElements)) return std::nullopt;
    out.insert(out.end(), elements->begin(), elements->end());
  }
  return out;
}

// Equal parts of `dim`, the last one smaller; nullopt if there are too many.
std::optional<Shape> equal_parts(const Dim& dim, int64_t count) {
  const int64_t size = dim.value / count + (dim.value % count != 0);
  if (dim.is_static()) {
    if (count > 1 && size > 0 && dim.value / size < count - 1) return std::nullopt;
    Shape out(static_cast<size_t>(count), Dim(size));
    out.back() = dim.value - size * (count - 1);
    return out;
  }
  Shape out;
  for (int64_t i = 0; i < count; ++i) out.push_back(dim.value % count == 0 ? Dim(size, dim.symbol) : fresh_dim());
  return out;
}

// Whether sizes are not negative and can sum to `whole`.
bool sums_to(const Shape& parts, const Dim& whole) {
  Dim total = 0;
  for (const Dim& part : parts) {
    const auto next = ops::sum(total, part);
    if (!next || part.value < 0) return false;
    total = *next;
  }
  return total == whole || total.symbol != whole.symbol;
}

}  // namespace

std::vector<Inferred> Concat::infer(InferContext& context) const {
  const TensorType& first = context.in(0).type;
  ops::same_dtype(context, "T1", 0, context.input_count());
  const auto at = ops::checked_axis(context, "S1", axis, static_cast<int64_t>(first.shape.size()));
  if (!at) return {{first, {}}};
  Shape shape = first.shape;
  for (int n = 1; n < context.input_count(); ++n) {
    const Shape& other = context.in(n).type.shape;
    bool agree = other.size() == shape.size();
    for (size_t i = 0; agree && i < shape.size(); ++i) {
      if (static_cast<int64_t>(i) == *at) continue;
      agree = shape[i] == other[i] || shape[i].symbol != other[i].symbol;
      if (!shape[i].is_static() && other[i].is_static()) shape[i] = other[i];
    }
    if (!ops::check(context, agree, "S2",
                    fmt::format("{} of shape {} does not join {} along axis {}", context.input_name(n), to_string(other),
                                to_string(first.shape), axis)))
      return {{first, {}}};
    const auto total = ops::sum(shape[static_cast<size_t>(*at)], other[static_cast<size_t>(*at)]);
    shape[static_cast<size_t>(*at)] = total.value_or(Dim(INT64_MAX));  // an overflow, refused by its size
  }
  return {ops::output(context, first.dtype, std::move(shape), joined(context))};
}

std::vector<HostTensor> Concat::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (out[0].count() == 0) return out;
  const int64_t at = *ops::normalize_axis(axis, in[0]->rank());
  const auto strides = ops::strides_of(out[0].dims());
  int64_t begin = 0;
  for (const HostTensor* part : in) {
    ops::copy_strided(out[0], {begin * strides[static_cast<size_t>(at)], strides}, *part, {0, ops::strides_of(part->dims())}, part->dims());
    begin += part->dims()[static_cast<size_t>(at)];
  }
  return out;
}

std::vector<Inferred> Split::infer(InferContext& context) const {
  const Operand& x = context.in(0);
  const auto outputs = static_cast<size_t>(std::max(context.output_count(), 1));
  const std::vector<Inferred> failed(outputs, Inferred{x.type, {}});
  if (context.input(1) != nullptr) ops::i64_input(context, "T1", 1);
  ops::no_codes(context, "T2", 0);
  const auto at = ops::checked_axis(context, "S1", axis, static_cast<int64_t>(x.type.shape.size()));
  if (!at) return failed;
  const Dim& whole = x.type.shape[static_cast<size_t>(*at)];
  std::optional<Shape> parts = split.empty() ? equal_parts(whole, static_cast<int64_t>(outputs)) : to_shape(split);
  if (context.input(1) != nullptr) parts = ops::known_elements(context.input(1));
  if (!ops::check(context, parts && sums_to(*parts, whole), "S2",
                  fmt::format("axis {} of {} cannot be split so", *at, to_string(x.type.shape)),
                  "give sizes that are constant and sum to the axis") ||
      !ops::check(context, parts->size() == outputs && (num_outputs == 0 || num_outputs == static_cast<int64_t>(outputs)), "S3",
                  fmt::format("{} sizes and num_outputs {} for {} outputs", parts->size(), num_outputs, outputs)))
    return failed;
  const auto elements = all_static(*parts) ? ops::known_elements(&x) : std::nullopt;
  std::vector<Inferred> out;
  int64_t begin = 0;
  for (const Dim& part : *parts) {
    Shape shape = x.type.shape;
    shape[static_cast<size_t>(*at)] = part;
    std::optional<Shape> values;
    if (elements && begin + part.value <= static_cast<int64_t>(elements->size())) {
      values = Shape(elements->begin() + begin, elements->begin() + begin + part.value);
      begin += part.value;
    }
    out.push_back(ops::output(context, x.type.dtype, std::move(shape), std::move(values)));
  }
  return out;
}

std::vector<HostTensor> Split::reference(std::span<const HostTensor* const> in) const {
  const HostTensor* sizes = ops::optional_input(in, 1);
  const int64_t count = sizes != nullptr ? sizes->count() : split.empty() ? num_outputs : static_cast<int64_t>(split.size());
  if (count < 1 || count > 1 << 20) fail(Code::kUnsupported, "Split into {} parts (0: neither sizes nor num_outputs)", count);
  auto out = ops::make_outputs(*this, in, ops::kAnyOpset, static_cast<int>(count));
  if (in[0]->count() == 0) return out;
  const int64_t at = *ops::normalize_axis(axis, in[0]->rank());
  const auto strides = ops::strides_of(in[0]->dims());
  int64_t begin = 0;
  for (HostTensor& part : out) {
    ops::copy_strided(part, {0, ops::strides_of(part.dims())}, *in[0], {begin * strides[static_cast<size_t>(at)], strides}, part.dims());
    begin += part.dims()[static_cast<size_t>(at)];
  }
  return out;
}

}  // namespace octet
