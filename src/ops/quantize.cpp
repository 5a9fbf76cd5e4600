// QuantizeLinear and DequantizeLinear.
#include "ops/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "numeric/convert.h"
#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

struct Number {
  DType dtype;
  int64_t number;
};
constexpr Number kNumbers[] = {{DType::f32, 1},   {DType::u8, 2},      {DType::i8, 3},    {DType::i32, 6},
                               {DType::i64, 7},   {DType::boolean, 9}, {DType::f16, 10},  {DType::f64, 11},
                               {DType::bf16, 16}, {DType::e4m3, 17},   {DType::e5m2, 19}, {DType::e8m0, 24}};

bool is_small_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }
bool is_code(DType dtype) { return is_float8(dtype) || dtype == DType::i8 || dtype == DType::u8; }

enum class Layout { kTensor, kAxis, kBlocks };

bool is_one_element(const Shape& shape) { return ops::count_of(shape) == ops::Monomial{}; }

bool may_equal(const Dim& a, const Dim& b) { return a == b || a.symbol != b.symbol; }

// Whether `scale` has one element a block of `size` along `axis`, and data's shape elsewhere.
bool is_blocked(const Shape& data, const Shape& scale, size_t axis, int64_t size) {
  if (scale.size() != data.size() || size < 1) return false;
  for (size_t i = 0; i < data.size(); ++i) {
    if (i != axis && !may_equal(data[i], scale[i])) return false;
    if (i == axis && data[i].is_static() && !may_equal(data[i].value / size + (data[i].value % size != 0), scale[i])) return false;
  }
  return true;
}

// S1 and A1: how the scale (input 1) lies on the data (input 0); nullopt after a violation.
std::optional<Layout> layout(InferContext& context, int64_t axis, int64_t block_size) {
  const Shape &data = context.in(0).type.shape, &scale = context.in(1).type.shape;
  if (!ops::check(context, block_size >= 0, "A1", fmt::format("block_size is {}", block_size))) return std::nullopt;
  if (is_one_element(scale)) return Layout::kTensor;
  const auto at = ops::checked_axis(context, "A1", axis, static_cast<int64_t>(data.size()));
  if (!at) return std::nullopt;
  const auto i = static_cast<size_t>(*at);
  if (block_size == 0 && scale.size() == 1 && may_equal(scale[0], data[i])) return Layout::kAxis;
  if (is_blocked(data, scale, i, block_size)) return Layout::kBlocks;
  context.violation("S1",
                    fmt::format("a scale of shape {} fits no layout of data {}: one element, {} elements for axis {}, or blocks of {}",
                                to_string(scale), to_string(data), to_string(data[i]), i, block_size));
  return std::nullopt;
}

// Q1, Q2, S2: what constant scales and zero points must be.
void check_values(InferContext& context) {
  if (const HostTensor* scale = context.in(1).constant; scale != nullptr && is_float(scale->dtype()))
    for (int64_t i = 0; i < scale->count(); ++i) {
      const double value = scale->at(i);
      if (std::isfinite(value) && value > 0) continue;
      context.violation("Q1", fmt::format("element {} of the scale {} is {}", i, context.input_name(1), value),
                        "calibrate it: scales are finite and > 0");
      break;
    }
  const Operand* zero = context.input(2);
  if (zero == nullptr) return;
  const Shape &shape = zero->type.shape, &scale = context.in(1).type.shape;
  ops::check(context, shape == scale || (is_one_element(shape) && is_one_element(scale)), "S2",
             fmt::format("the zero point has the shape {}, the scale {}", to_string(shape), to_string(scale)));
  if (zero->constant == nullptr || !is_float8(zero->type.dtype)) return;
  for (int64_t i = 0; i < zero->constant->count(); ++i)
    if (zero->constant->at(i) != 0) {
      context.violation("Q2", fmt::format("the zero point {} is not 0", context.input_name(2)), "use 0: f8 has no zero point");
      break;
    }
}

// The position in the scale of element (outer, along, inner) of data seen around its axis.
struct ScaleIndex {
  Layout kind;
  int64_t block, blocks, inner;
  ops::Around view;

  ScaleIndex(const HostTensor& data, const HostTensor& scale, int64_t axis, int64_t block_size)
      : kind(Layout::kTensor), block(1), blocks(1) {
    view = {1, 1, data.count()};
    if (scale.count() != 1 && data.count() > 0) {
      view = ops::around(data.dims(), *ops::normalize_axis(axis, data.rank()));
      kind = block_size > 0 ? Layout::kBlocks : Layout::kAxis;
      block = std::max<int64_t>(block_size, 1);
      blocks = view.size / block + (view.size % block != 0);
    }
    inner = view.inner;
  }
  int64_t operator()(int64_t outer, int64_t along, int64_t i) const {
    if (kind == Layout::kTensor) return 0;
    return kind == Layout::kAxis ? along : (outer * blocks + along / block) * inner + i;
  }
};

// f(element of data, element of scale) for every element.
template <class F>
void for_each(const HostTensor& data, const HostTensor& scale, int64_t axis, int64_t block_size, F f) {
  const ScaleIndex at(data, scale, axis, block_size);
  int64_t n = 0;
  for (int64_t outer = 0; outer < at.view.outer; ++outer)
    for (int64_t along = 0; along < at.view.size; ++along)
      for (int64_t i = 0; i < at.view.inner; ++i, ++n) f(n, at(outer, along, i));
}

double round_to(DType dtype, double value) {
  if (dtype == DType::f16) return decode_f16(encode_f16(value));
  if (dtype == DType::bf16) return decode_bf16(encode_bf16(value));
  return encode_f32(value);
}

// x = q * step + zero, rounded to even and clamped; NaN gives the zero point.
int64_t to_code(double quotient, int64_t zero, bool is_signed) {
  const double code = (std::isnan(quotient) ? 0 : std::nearbyint(quotient)) + static_cast<double>(zero);
  return static_cast<int64_t>(is_signed ? std::clamp(code, -128.0, 127.0) : std::clamp(code, 0.0, 255.0));
}

DType quantized_type(const Operand* zero, int64_t output_dtype) {
  if (zero != nullptr) return zero->type.dtype;
  return from_onnx_number(output_dtype).value_or(DType::u8);
}

}  // namespace

int64_t onnx_number(DType dtype) {
  for (const Number& one : kNumbers)
    if (one.dtype == dtype) return one.number;
  OCTET_CHECK(false, static_cast<int>(dtype));
  return 0;
}

std::optional<DType> from_onnx_number(int64_t number) {
  for (const Number& one : kNumbers)
    if (one.number == number) return one.dtype;
  return std::nullopt;
}

std::vector<Inferred> QuantizeLinear::infer(InferContext& context) const {
  const Operand &x = context.in(0), &scale = context.in(1), *zero = context.input(2);
  const DType from = x.type.dtype, by = scale.type.dtype, to = quantized_type(zero, output_dtype);
  ops::check_dtype(context, "T1", 0, is_small_float(from), "f32, f16 or bf16", DType::f32);
  if (by != DType::f32 && by != from) {
    const bool fits = is_small_float(by);
    context.violation(
        "T2", fmt::format("the scale {} is {} and {} is {}", context.input_name(1), by, context.input_name(0), from),
        fits ? fmt::format("insert Cast to {} after {}, or store the scale {} as f32", by, context.input_name(0), context.input_name(1))
             : fmt::format("store the scale {} as f32", context.input_name(1)));
  }
  ops::check(context, output_dtype == 0 || from_onnx_number(output_dtype) == to, "T3",
             fmt::format("output_dtype is ONNX type {} and the zero point {}", output_dtype, to), "drop one of them");
  ops::check(context, is_code(to), "T4", fmt::format("quantizing to {}", to), "use a zero point of type e4m3, e5m2, i8 or u8");
  const auto division = from_onnx_number(precision);
  ops::check(context, precision == 0 || (division && is_small_float(*division)), "A1", fmt::format("precision is {}", precision),
             "use 1 (f32), 10 (f16) or 16 (bf16)");
  const auto kind = layout(context, axis, block_size);
  if (kind && *kind != Layout::kTensor)
    ops::check(context, x.constant != nullptr || x.from_constants, "Q3",
               fmt::format("{} is an activation and its scale has {} elements", context.input_name(0),
                           to_string(ops::product_dim(scale.type.shape))),
               "quantize activations per tensor: one scale");
  check_values(context);
  return {ops::output(context, to, x.type.shape)};
}

std::vector<HostTensor> QuantizeLinear::reference(std::span<const HostTensor* const> in, int opset) const {
  auto out = ops::make_outputs(*this, in, opset);
  const HostTensor* zero = ops::optional_input(in, 2);
  const DType to = out[0].dtype();
  DType division = DType::f32;
  if (opset >= 23) division = from_onnx_number(precision).value_or(in[1]->dtype());
  const ops::Reader x(*in[0]), scale(*in[1]);
  std::byte* codes = out[0].mutable_data();
  for_each(*in[0], *in[1], axis, block_size, [&](int64_t i, int64_t s) {
    const double quotient = round_to(division, round_to(division, x[i]) / round_to(division, scale[s]));
    codes[i] = static_cast<std::byte>(is_float8(to) ? ops::encode_f8(to, quotient, saturate != 0)
                                                    : to_code(quotient, zero == nullptr ? 0 : zero->at_int(s), to == DType::i8));
  });
  return out;
}

std::vector<Inferred> DequantizeLinear::infer(InferContext& context) const {
  const Operand &x = context.in(0), &scale = context.in(1), *zero = context.input(2);
  const DType from = x.type.dtype, by = scale.type.dtype;
  ops::check_dtype(context, "T1", 0, is_code(from) || from == DType::i32, "e4m3, e5m2, i8, u8 or i32", DType::e4m3);
  ops::check_dtype(context, "T2", 1, is_small_float(by), "f32, f16 or bf16", DType::f32);
  if (zero != nullptr) {
    ops::check(context, zero->type.dtype == from, "T3",
               fmt::format("the zero point {} is {}, the data {}", context.input_name(2), zero->type.dtype, from),
               fmt::format("store the zero point as {}", from));
    ops::check(context, from != DType::i32, "Q2", "i32 data has no zero point", "drop it");
  }
  const auto to = output_dtype == 0 ? std::optional(by) : from_onnx_number(output_dtype);
  const bool good = to && is_small_float(*to);
  ops::check(context, good || output_dtype == 0, "T4", fmt::format("output_dtype is ONNX type {}", output_dtype),
             "use 1 (f32), 10 (f16) or 16 (bf16)");
  layout(context, axis, block_size);
  check_values(context);
  return {ops::output(context, good ? *to : DType::f32, x.type.shape)};
}

std::vector<HostTensor> DequantizeLinear::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const HostTensor* zero = ops::optional_input(in, 2);
  const bool shifted = zero != nullptr && !is_float8(zero->dtype());
  const ops::Reader x(*in[0]), scale(*in[1]);
  const ops::Writer write(out[0]);
  for_each(*in[0], *in[1], axis, block_size,
           [&](int64_t i, int64_t s) { write(i, (x[i] - (shifted ? static_cast<double>(zero->at_int(s)) : 0)) * scale[s]); });
  return out;
}

}  // namespace octet
