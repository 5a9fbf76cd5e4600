// pool: y[b,:] = x[b,row(b),:], row = index | first argmax of ids | first t with ids[b,t] == index (else 0).
// l2normalize: y[r,:] = round(x[r,:] / max(||x[r,:]||_2, epsilon)). Both copy or read f16, bf16 or f32; too small to need ISA rows.
#pragma once
#include <cstdint>

#include "numeric/dtype.h"

namespace octet::cpu {

enum class PoolMode : uint8_t { kIndex = 0, kArgMax, kFirstEqual };  // values of plan::PoolMode
struct PoolArgs {
  const void* x;
  const void* ids;  // i32 or i64 [batch, tokens]; nullptr with kIndex
  DType ids_dtype;
  void* y;
  int64_t batch, rows, row_bytes, tokens, index;
  PoolMode mode;
};
void pool(const PoolArgs& args);
void l2normalize(DType dtype, const void* x, void* y, int64_t rows, int64_t cols, float epsilon);

}  // namespace octet::cpu
