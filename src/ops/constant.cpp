// Constant, ConstantOfShape, Range.
#include "ops/constant.h"

#include <algorithm>
#include <cmath>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

bool is_given(const HostTensor& value) { return value.bytes().data() != nullptr; }

int given(const Constant& constant) {
  return is_given(constant.value) + (constant.value_int != Constant::kNoInt) + (constant.value_ints != std::vector{Constant::kNoInt}) +
         (std::bit_cast<uint32_t>(constant.value_float) != std::bit_cast<uint32_t>(Constant::kNoFloat)) +
         (constant.value_floats != std::vector{Constant::kNoFloat});
}

// ConstantOfShape's element; f32 0 if none is given.
HostTensor filler(const HostTensor& value) { return is_given(value) ? value : HostTensor(DType::f32, {1}); }

// How many elements a range has; nullopt if the numbers give none.
std::optional<int64_t> range_count(const HostTensor& start, const HostTensor& limit, const HostTensor& delta) {
  if (!is_float(start.dtype())) {
    const __int128 step = delta.at_int(0), span = static_cast<__int128>(limit.at_int(0)) - start.at_int(0);
    const __int128 count = span / step + (span % step != 0);
    return (span > 0) == (step > 0) && span != 0 ? static_cast<int64_t>(std::min<__int128>(count, INT64_MAX)) : 0;
  }
  const double count = std::ceil((limit.at(0) - start.at(0)) / delta.at(0));
  if (std::isnan(count)) return std::nullopt;
  return count < 1 ? 0 : count < 0x1p62 ? static_cast<int64_t>(count) : INT64_MAX;
}

int64_t range_element(int64_t start, int64_t delta, int64_t i) {  // products may wrap, their sum is below the limit
  return static_cast<int64_t>(static_cast<uint64_t>(start) + static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
}

// The same from symbolic elements: exact for a step of 1, else of unknown size.
Dim range_size(const Operand& start, const Operand& limit, const Operand& delta) {
  const auto first = ops::known_elements(&start), end = ops::known_elements(&limit), step = ops::known_elements(&delta);
  if (!first || !end || step != Shape{Dim(1)}) return fresh_dim();
  const auto size = ops::difference(end->at(0), first->at(0));
  return size && size->value >= 0 ? *size : fresh_dim();
}

// A scalar operand with its value as a tensor, from either kind of knowledge.
std::optional<HostTensor> known_scalar(const Operand& operand) {
  if (operand.constant != nullptr) return *operand.constant;
  const auto value = ops::known_ints(&operand);
  if (!value) return std::nullopt;
  HostTensor out(operand.type.dtype, {});
  out.set_int(0, value->at(0));
  return out;
}

}  // namespace

HostTensor Constant::tensor() const {
  if (given(*this) > 1) fail(Code::kInvalid, "a Constant with {} values", given(*this));
  if (value_int != kNoInt) return HostTensor::of<int64_t>(DType::i64, {}, std::span(&value_int, 1));
  if (value_ints != std::vector{kNoInt}) return HostTensor::of<int64_t>(DType::i64, {static_cast<int64_t>(value_ints.size())}, value_ints);
  if (value_floats != std::vector{kNoFloat})
    return HostTensor::of<float>(DType::f32, {static_cast<int64_t>(value_floats.size())}, value_floats);
  if (std::bit_cast<uint32_t>(value_float) != std::bit_cast<uint32_t>(kNoFloat))
    return HostTensor::of<float>(DType::f32, {}, std::span(&value_float, 1));
  return value;
}

std::vector<Inferred> Constant::infer(InferContext& context) const {
  if (!ops::check(context, given(*this) <= 1, "A1", fmt::format("{} values are given", given(*this)), "keep one")) return {{{}, {}}};
  const HostTensor one = tensor();
  const Operand operand{{one.dtype(), to_shape(one.dims())}, &one, nullptr};
  return {ops::output(context, one.dtype(), operand.type.shape, ops::known_elements(&operand))};
}

std::vector<HostTensor> Constant::reference(std::span<const HostTensor* const>) const { return {tensor()}; }

std::vector<Inferred> ConstantOfShape::infer(InferContext& context) const {
  const HostTensor one = filler(value);
  const Operand& target = context.in(0);
  ops::i64_input(context, "T1", 0);
  ops::check(context, one.count() == 1, "A1", fmt::format("value holds {} elements", one.count()), "give one element");
  const auto length = ops::known_length(target);
  if (!ops::check(context, length && *length <= ops::kMaxElements, "S1",
                  fmt::format("{} is not a vector of known length", context.input_name(0)),
                  "give the shape as a constant or compute it from Shape"))
    return {{{one.dtype(), {}}, {}}};
  auto shape = ops::known_elements(&target);
  if (!shape) {
    shape.emplace();
    for (int64_t i = 0; i < *length; ++i) shape->push_back(fresh_dim());
  }
  if (!ops::check(context, std::all_of(shape->begin(), shape->end(), [](const Dim& d) { return d.value >= 0; }), "S2",
                  fmt::format("{} has a negative size", to_string(*shape))))
    return {{{one.dtype(), {}}, {}}};
  std::optional<Shape> elements;
  const bool small = shape->empty() || (shape->size() == 1 && (*shape)[0].is_static() && (*shape)[0].value <= ops::kMaxElements);
  if (small && one.count() == 1 && !is_float(one.dtype()))
    elements = Shape(shape->empty() ? 1 : static_cast<size_t>((*shape)[0].value), Dim(one.at_int(0)));
  return {ops::output(context, one.dtype(), std::move(*shape), std::move(elements))};
}

std::vector<HostTensor> ConstantOfShape::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const HostTensor one = filler(value);
  const auto size = size_of(one.dtype());
  const bool zero = std::all_of(one.bytes().begin(), one.bytes().end(), [](std::byte b) { return b == std::byte{}; });
  std::byte* data = out[0].mutable_data();
  for (int64_t i = 0; i < out[0].count() && !zero; ++i) std::memcpy(data + static_cast<size_t>(i) * size, one.bytes().data(), size);
  return out;
}

std::vector<Inferred> RangeOp::infer(InferContext& context) const {
  const Operand &start = context.in(0), &limit = context.in(1), &delta = context.in(2);
  const DType dtype = start.type.dtype;
  ops::same_dtype(context, "T1", 0, 3);
  const bool small_float = dtype == DType::f16 || dtype == DType::bf16;
  ops::check_dtype(context, "T2", 0,
                   (is_float(dtype) && (!small_float || context.opset() >= 27)) || dtype == DType::i32 || dtype == DType::i64,
                   "f32, f64, i32 or i64", DType::f32);
  bool scalars = true;
  for (const Operand* one : {&start, &limit, &delta}) scalars &= ops::count_of(one->type.shape) == ops::Monomial{};
  if (!ops::check(context, scalars, "S1", "start, limit and delta must be scalars", "take one element")) return {{{dtype, {1}}, {}}};
  const auto first = known_scalar(start), end = known_scalar(limit), step = known_scalar(delta);
  if (step && !ops::check(context, step->at(0) != 0, "S2", "delta is 0")) return {{{dtype, {1}}, {}}};
  const bool typed = limit.type.dtype == dtype && delta.type.dtype == dtype;
  if (!first || !end || !step || !typed) return {ops::output(context, dtype, {range_size(start, limit, delta)})};
  const auto count = range_count(*first, *end, *step);
  if (!ops::check(context, count.has_value(), "S2", "start, limit and delta give no range")) return {{{dtype, {1}}, {}}};
  std::optional<Shape> elements;
  if (!is_float(dtype) && *count <= ops::kMaxElements) {
    elements.emplace();
    for (int64_t i = 0; i < *count; ++i) elements->emplace_back(range_element(first->at_int(0), step->at_int(0), i));
  }
  return {ops::output(context, dtype, {*count}, std::move(elements))};
}

std::vector<HostTensor> RangeOp::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in, 27);  // the opset that allows every type
  const int64_t count = out[0].count();
  if (is_float(out[0].dtype())) {
    const double start = in[0]->at(0), delta = in[2]->at(0);
    for (int64_t i = 0; i < count; ++i) out[0].set(i, start + static_cast<double>(i) * delta);
  } else {
    const int64_t start = in[0]->at_int(0), delta = in[2]->at_int(0);
    for (int64_t i = 0; i < count; ++i) out[0].set_int(i, range_element(start, delta, i));
  }
  return out;
}

}  // namespace octet
