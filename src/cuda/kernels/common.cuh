// What device code shares: integer names, 8- and 16-bit floats by PTX, activations, programmatic dependent launch. No CUDA header.
#pragma once
#ifdef __CUDACC_RTC__
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef signed char int8_t;
typedef int int32_t;
typedef long long int64_t;
#else  // nvcc, when a kernel is studied alone
#include <cstdint>
#endif

#define OCTET_DEVICE __device__ __forceinline__

OCTET_DEVICE uint32_t shared_address(const void* pointer) { return uint32_t(__cvta_generic_to_shared(pointer)); }

// Storage types. Programs are specialised with -DIN=e4m3 and the like.
struct e4m3 {
  uint8_t bits;
};
struct f16 {
  uint16_t bits;
};
struct bf16 {
  uint16_t bits;
};
using f32 = float;

template <class A, class B>
struct same_type {
  static constexpr bool value = false;
};
template <class A>
struct same_type<A, A> {
  static constexpr bool value = true;
};
template <class A, class B>
constexpr bool is_same = same_type<A, B>::value;

// ---- decode: exact ----
OCTET_DEVICE float to_f32(float x) { return x; }
OCTET_DEVICE float to_f32(f16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
OCTET_DEVICE float to_f32(bf16 x) { return __uint_as_float(uint32_t(x.bits) << 16); }
// Two f16 of one register.
OCTET_DEVICE float2 f16x2_to_f32(uint32_t x) {
  float2 y;
  asm("{ .reg .b16 lo, hi; mov.b32 {lo, hi}, %2; cvt.f32.f16 %0, lo; cvt.f32.f16 %1, hi; }" : "=f"(y.x), "=f"(y.y) : "r"(x));
  return y;
}
OCTET_DEVICE float2 bf16x2_to_f32(uint32_t x) { return make_float2(__uint_as_float(x << 16), __uint_as_float(x & 0xffff0000u)); }
// Two codes -> two f16 of one register: exact.
OCTET_DEVICE uint32_t e4m3x2_to_f16x2(uint16_t codes) {
#if __CUDA_ARCH__ >= 890
  uint32_t y;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(y) : "h"(codes));
  return y;
#else
  // Sign | exponent and mantissa one place right: a f16 of value / 2^8 (subnormals too); the product by 2^8 is exact. 0x7f: NaN.
  const uint32_t c = codes, wide = (c & 0xffu) | ((c & 0xff00u) << 8);
  uint32_t y, h = ((wide & 0x800080u) << 8) | ((wide & 0x7f007fu) << 7);
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(y) : "r"(h), "r"(0x5c005c00u));
  if ((wide & 0x7fu) == 0x7fu) y = (y & 0xffff0000u) | 0x7fffu;
  if ((wide & 0x7f0000u) == 0x7f0000u) y = (y & 0xffffu) | 0x7fff0000u;
  return y;
#endif
}
OCTET_DEVICE float to_f32(e4m3 x) { return f16x2_to_f32(e4m3x2_to_f16x2(x.bits)).x; }

// ---- encode: round to nearest even, one rounding from f32 ----
OCTET_DEVICE uint32_t f32_to_f16x2(float lo, float hi) {
  uint32_t y;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(hi), "f"(lo));
  return y;
}
OCTET_DEVICE uint32_t f32_to_bf16x2(float lo, float hi) {
  uint32_t y;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(hi), "f"(lo));
  return y;
}
// Saturating at 448; NaN stays NaN (0x7f).
OCTET_DEVICE uint16_t f32_to_e4m3x2(float lo, float hi) {
#if __CUDA_ARCH__ >= 890
  uint16_t y;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(y) : "f"(hi), "f"(lo));
  return y;
#else
  uint32_t codes[2];
  for (int i = 0; i < 2; ++i) {
    const float x = i ? hi : lo;
    const uint32_t bits = __float_as_uint(x), sign = (bits >> 24) & 0x80u;
    const float a = fminf(fabsf(x), 448.0f);
    const uint32_t u = __float_as_uint(a);
    // Subnormals: an addition to 2^14 rounds at the last place, 2^-9. Normals: round the 20 dropped bits half to even.
    const uint32_t code =
        a < 0.015625f ? __float_as_uint(a + 16384.0f) - __float_as_uint(16384.0f) : (u + 0x7ffffu + ((u >> 20) & 1u) - (120u << 23)) >> 20;
    codes[i] = sign | (x != x ? 0x7fu : code);
  }
  return uint16_t(codes[0] | (codes[1] << 8));
#endif
}
template <class T>
OCTET_DEVICE T from_f32(float x);
template <>
OCTET_DEVICE float from_f32<float>(float x) {
  return x;
}
template <>
OCTET_DEVICE f16 from_f32<f16>(float x) {
  f16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
template <>
OCTET_DEVICE bf16 from_f32<bf16>(float x) {
  bf16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
template <>
OCTET_DEVICE e4m3 from_f32<e4m3>(float x) {
  return {uint8_t(f32_to_e4m3x2(x, x))};
}

// ---- arithmetic ----
OCTET_DEVICE float exp2_approx(float x) {  // 2 ulp; -inf gives 0
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
OCTET_DEVICE float reciprocal_approx(float x) {  // 1 ulp
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// ---- programmatic dependent launch ----
// Call before touching memory that a predecessor wrote or may still read. A no-op before sm_90.
OCTET_DEVICE void wait_for_predecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
// Lets the successor's blocks start as this grid's blocks drain; they still wait for this grid's end and its writes.
OCTET_DEVICE void let_successor_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}
