// pool: y[b,:] = x[b,row(b),:], row = index | first argmax of ids | first t with ids[b,t] == index (else 0); any dtype, bytes copied.
// l2normalize: y[r,:] = round(x[r,:] / max(||x[r,:]||_2, epsilon)), x and y f16, bf16 or f32.
#pragma once
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

enum class PoolMode : uint8_t { kIndex = 0, kArgMax, kFirstEqual };  // values of plan::PoolMode

struct PoolProblem {
  DType type = DType::f16;                 // of x and y
  DType ids = DType::i64;                  // i32 or i64; of no account with kIndex
  int64_t rows = 0, cols = 0, tokens = 0;  // rows of x per item; tokens: ids per item, at most rows
  PoolMode mode = PoolMode::kIndex;
};
struct PoolArgs {
  Address x = 0, ids = 0, y = 0;  // [batch, rows, cols], [batch, tokens] or 0, [batch, cols]
  int64_t index = 0, batch = 0;
};
using PoolKernel = KernelRow<PoolProblem, PoolArgs>;
std::span<const PoolKernel> pool_kernels();

struct L2NormalizeProblem {
  DType type = DType::f16;
  int64_t cols = 0;
};
struct L2NormalizeArgs {
  Address x = 0, y = 0;  // [rows, cols]; y may be x
  float epsilon = 0;
  int64_t rows = 0;
};
using L2NormalizeKernel = KernelRow<L2NormalizeProblem, L2NormalizeArgs>;
std::span<const L2NormalizeKernel> l2normalize_kernels();

}  // namespace octet::cuda
