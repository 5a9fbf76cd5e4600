// y[r,:] = round(((x[r,:] - mean) * rsqrt(var + epsilon) * gamma + beta) * inv_out_scale); statistics (biased, two-pass) in f32.
// x: f16, bf16 or f32 [rows, cols]; y: e4m3 (saturating) or x's type. May alias only when the types are equal.
#pragma once
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

struct NormProblem {
  DType in = DType::f16, out = DType::e4m3;
  int64_t cols = 0;
};
struct NormArgs {
  Address x = 0, y = 0, gamma = 0, beta = 0;  // gamma, beta: f32 [cols], beta zeros if none
  float epsilon = 0, inv_out_scale = 1;
  int64_t rows = 0;
  bool backward = false;  // begin with the last rows (kernel.h)
};
using NormKernel = KernelRow<NormProblem, NormArgs>;
std::span<const NormKernel> norm_kernels();

}  // namespace octet::cuda
