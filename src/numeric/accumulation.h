// How a kernel adds up products: what its sums lose. The oracle derives the error that it accepts from this (oracle/short_sums.h).
#pragma once
#include <cstdint>

namespace octet {

// Products, exact, join a sum `terms` at a time: they and the sum are aligned to the largest of them and keep `bits` significant bits
// of it, what lies below is cut off, towards zero. Every `restart` products (0: never) the sum moves to an f32 and begins anew.
// 24 bits is ordinary f32 arithmetic, one product at a time, in any order.
struct Accumulation {
  int bits = 24, terms = 1;
  int64_t restart = 0;
  bool operator==(const Accumulation&) const = default;
};
// FP8 products of the tensor cores of Hopper and Ada. Emulated so, sums of random codes have the errors that an H200's have: 3.9e-4 of
// the result at 640 products, 1.3e-3 at 4096 (docs/kernels/cuda_gemm.md).
inline constexpr Accumulation kFp8TensorCore{14, 32, 0};

}  // namespace octet
