// to[i] = round(from[i]) for `count` values to f16, bf16 or f32: the last step of the patch embedding, one per instruction set.
// f32 to f32 copies. All run simd's store_as.
#pragma once
#include <cstdint>

#include "cpu/simd/native.h"
#include "numeric/dtype.h"

namespace octet::cpu {

using RoundRow = void (*)(const float* from, DType dtype, void* to, int64_t count);
void round_row_portable(const float* from, DType dtype, void* to, int64_t count);
void round_row_avx2(const float* from, DType dtype, void* to, int64_t count);
void round_row_avx512(const float* from, DType dtype, void* to, int64_t count);

namespace {

template <class V>
inline void round_row(const float* from, DType dtype, void* to, int64_t count) {
  const auto write = [&](DType type) {
    for (int64_t i = 0; i < count; i += V::kLanes) {
      const auto mask = V::first(count - i);
      store_as(type, to, i, V::load(from + i, mask), mask);
    }
  };
  if (dtype == DType::f16) return write(DType::f16);
  if (dtype == DType::bf16) return write(DType::bf16);
  write(DType::f32);
}

}  // namespace
}  // namespace octet::cpu
