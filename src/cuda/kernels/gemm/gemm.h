// out[m,n] = round(act(sum_k a[m,k] * w[n,k] * alpha[n] + bias[n]) * post[n] + residual[m,n])
//
// a: e4m3, f16, bf16 or f32 [m, k] row-major; w: the same type, [n, k] row-major as the plan stores it. Products exact; f32
// accumulation in the tensor cores, whose FP8 path keeps fewer bits (docs/kernels/cuda_gemm.md); one rounding to f16, bf16, f32 or e4m3
// (saturating). The step folds the plan's scales: with an activation post = mul / out_scale; without one alpha and bias hold it and
// post is not read. Result bits do not depend on m, on a row's position or on the tile shape.
#pragma once
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

enum class Act : uint8_t { kNone = 0, kQuickGelu, kGeluErf, kGeluTanh };  // values of plan::Activation

struct GemmProblem {
  DType in = DType::e4m3, out = DType::f16;  // in: of a and w
  int64_t n = 0, k = 0;
  Act act = Act::kNone;
  bool residual = false;  // of the output type (never e4m3); may alias out
};
struct GemmArgs {
  Address a = 0, w = 0, out = 0, residual = 0;  // 16-byte aligned
  Address alpha = 0, bias = 0, post = 0;        // f32 [n], all present, 16-byte aligned, readable up to a multiple of 256 floats
  int64_t m = 0;
  bool backward = false;  // begin with the last rows (kernel.h)
};
using GemmKernel = KernelRow<GemmProblem, GemmArgs>;
std::span<const GemmKernel> gemm_kernels();  // best first; the last accepts everything

}  // namespace octet::cuda
