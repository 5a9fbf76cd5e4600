// pointwise: y[r,n] = round((act(x[r,n] * scale + bias[n]) * mul + residual[r,n]) / out_scale), in f32 with a true division; x and y e4m3,
// f16, bf16 or f32, residual of y's type, a float.
#pragma once
#include "cuda/kernels/gemm/gemm.h"
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

struct PointwiseProblem {
  DType in = DType::e4m3, out = DType::f16;
  Act act = Act::kNone;
  bool residual = false;
};
struct PointwiseArgs {
  Address x = 0, y = 0, residual = 0, bias = 0;  // [rows, cols]; bias [cols] f32
  float scale = 1, mul = 1, out_scale = 1;
  int64_t cols = 0, count = 0;  // count = rows * cols
};
using PointwiseKernel = KernelRow<PointwiseProblem, PointwiseArgs>;
std::span<const PointwiseKernel> pointwise_kernels();

}  // namespace octet::cuda
