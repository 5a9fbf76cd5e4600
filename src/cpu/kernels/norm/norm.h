// LayerNorm fused with quantization: y = round(((x - mean) * rsqrt(var + epsilon) * gamma + beta) * inv_out_scale)
// for each row of [rows, cols]; mean and variance (biased, two-pass) in f32. x: f16, bf16 or f32; y: e4m3 (saturating) or x's dtype.
// Error before the last rounding <= (cols / 16 + 8) * 2^-24 relative to the row's largest |y|. Rows are independent.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "numeric/dtype.h"

namespace octet::cpu {

struct NormProblem {
  DType in = DType::f16, out = DType::e4m3;
  int64_t cols = 0;
};
struct NormArgs {
  const void* x;
  void* y;                    // may alias x when the dtypes are equal
  const float *gamma, *beta;  // [cols]; beta zeros if none
  float epsilon, inv_out_scale;
  int64_t rows;
};
struct NormKernel {
  std::string_view name;  // norm_<in>_<out>_<isa>
  uint32_t isa;
  Refusal (*accepts)(const NormProblem&);
  void (*run)(const NormProblem&, const NormArgs&, int thread, int threads);
};
std::span<const NormKernel> norm_kernels();

}  // namespace octet::cpu
