// QuantizeLinear and DequantizeLinear, opset 10 to 25, also under the names ModelOpt gives them (list.h). Numerics: the
// user contract, "Numerics". Scale layouts: one element: per tensor; vector: one element a slice of `axis`; data's rank with
// ceil(n / block_size) on `axis`: blocks.
#pragma once
#include "ir/op.h"

namespace octet {

// The ONNX TensorProto.DataType number of a type, and back (nullopt: a type octet lacks). 0 is "not given" in attributes.
int64_t onnx_number(DType dtype);
std::optional<DType> from_onnx_number(int64_t number);

// y = saturate(round_half_even(x / scale) + zero_point). The division: from opset 23 on, in the type `precision`, else in
// the scale's type, the quotient rounded to it; below opset 23 in f32. f8 saturates at +-448 / +-57344, infinity too, NaN
// stays (saturate == 0: NaN in e4m3, infinity in e5m2). y's type: zero_point's, else output_dtype, else u8.
//   T1: x is f32, f16 or bf16.  T2: the scale is f32, or has x's type.  T3: output_dtype equals zero_point's type.
//   T4: y is e4m3, e5m2, i8 or u8.  Q1: a constant scale is finite and > 0.  Q2: an f8 zero point is 0.
//   Q3: activations are quantized per tensor: other scale layouts need an x that constants alone give.
//   S1: the scale's layout fits x.  S2: zero_point has the scale's shape, or both hold one element.  A1: axis in range,
//   block_size >= 0, precision 0, 1, 10 or 16.
struct QuantizeLinear {
  static constexpr std::string_view kName = "QuantizeLinear";
  int64_t axis = 1;
  int64_t block_size = 0;
  int64_t output_dtype = 0;  // ONNX number; 0: not given
  int64_t precision = 0;     // likewise
  int64_t saturate = 1;
  static void fields(auto& self, auto&& visit) {
    visit("axis", self.axis);
    visit("block_size", self.block_size);
    visit("output_dtype", self.output_dtype);
    visit("precision", self.precision);
    visit("saturate", self.saturate);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in, int opset) const;
};

// y = (x - zero_point) * scale, the exact product rounded once. y's type: output_dtype, else the scale's.
//   T1: x is e4m3, e5m2, i8, u8 or i32.  T2: the scale is f32, f16 or bf16.  T3: zero_point has x's type.  T4: output_dtype
//   is a float.  Q1 as QuantizeLinear.  Q2: an f8 zero point is 0, i32 data has none.  S1, S2, A1 as QuantizeLinear.
struct DequantizeLinear {
  static constexpr std::string_view kName = "DequantizeLinear";
  int64_t axis = 1;
  int64_t block_size = 0;
  int64_t output_dtype = 0;  // ONNX number; 0: not given
  static void fields(auto& self, auto&& visit) {
    visit("axis", self.axis);
    visit("block_size", self.block_size);
    visit("output_dtype", self.output_dtype);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
