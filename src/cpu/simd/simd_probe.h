// The vector helpers of each instruction set behind plain functions over arrays, so that a test can compare them: the helpers
// themselves have internal linkage and belong to ISA files. Next: simd_probe_inl.h, simd_test.cpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "numeric/dtype.h"

namespace octet::cpu {

struct SimdProbe {
  const char* name;
  uint32_t isa;
  // y[i] = f(x[i]), i < count.
  void (*exp)(const float* x, float* y, size_t count);
  void (*sigmoid)(const float* x, float* y, size_t count);
  void (*erf)(const float* x, float* y, size_t count);
  void (*quick_gelu)(const float* x, float* y, size_t count);
  void (*gelu_erf)(const float* x, float* y, size_t count);
  void (*gelu_tanh)(const float* x, float* y, size_t count);
  // `count` elements of `type` from and to f32, the last ones through masks.
  void (*load)(DType type, const void* x, float* y, size_t count);
  void (*store)(DType type, const float* x, void* y, size_t count);
  void (*store_e4m3_pairs)(const float* x, uint8_t* y, size_t count);
};
extern const SimdProbe kSimdProbeAvx2, kSimdProbeAvx512;

// Codes to bf16 by the three orders of E4m3ToBf16; each out is 64 values. Needs kAvx512.
struct E4m3Orders {
  uint16_t interleaved[64], ordered[64], halves[64];
};
void probe_e4m3_to_bf16(const uint8_t* codes, E4m3Orders& out);

}  // namespace octet::cpu
