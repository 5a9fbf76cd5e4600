// y[r,n] = round((act(x[r,n] * scale + bias[n]) * mul + residual[r,n]) / out_scale), in f32 with a true division and one rounding to y's
// type: what follows a product whose sum is rounded to e4m3 first. x e4m3, f16, bf16 or f32; y likewise, e4m3 saturating.
// Error before the last rounding: 2^-24 * (3 (|x*scale| + |bias|)), carried through the activation as gemm.h says, and 2^-24 * 4 of the
// sum; none where nothing but the division is done, so that codes are those of QuantizeLinear.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "cpu/kernels/gemm/gemm.h"

namespace octet::cpu {

struct PointwiseProblem {
  DType in = DType::e4m3, out = DType::f16;
  int64_t cols = 0;
  Act act = Act::kNone;
};
struct PointwiseArgs {
  const void* x;         // [rows, cols]
  const float* bias;     // [cols] or nullptr
  const void* residual;  // [rows, cols] of y's dtype, a float, or nullptr; may alias y
  void* y;               // [rows, cols]; may be x when the types are equal
  int64_t rows;
  float scale, mul, out_scale;
};
struct PointwiseKernel {
  std::string_view name;
  uint32_t isa;
  Refusal (*accepts)(const PointwiseProblem&);
  void (*run)(const PointwiseProblem&, const PointwiseArgs&, int thread, int threads);
};
std::span<const PointwiseKernel> pointwise_kernels();

}  // namespace octet::cpu
