// Four f32 lanes in plain x86-64 (SSE2): the portable rows run the same templates as the AVX ones. Same interface as
// simd/f32x16_avx512.h; fma rounds twice here, as the machine has none. All of it has internal linkage. Next: simd/math.h.
#pragma once
#include <emmintrin.h>

#include <cstdint>
#include <cstring>

#include "numeric/dtype.h"

namespace octet::cpu {
namespace {

struct F32x4 {
  static constexpr int kLanes = 4;
  static constexpr float kE4m3Unit = 1;  // store_pair<e4m3> takes values as they are
  using Mask = __m128;                   // all bits of a lane or none
  __m128 v;

  static F32x4 zero() { return {_mm_setzero_ps()}; }
  static F32x4 set(float x) { return {_mm_set1_ps(x)}; }
  static Mask first(int64_t count) {
    const int n = static_cast<int>(count < 4 ? count : 4);
    return _mm_castsi128_ps(_mm_cmpgt_epi32(_mm_set1_epi32(n), _mm_setr_epi32(0, 1, 2, 3)));
  }
  static F32x4 load(const float* p) { return {_mm_loadu_ps(p)}; }
  static F32x4 load(const float* p, Mask m) {
    float lanes[4] = {};
    for (int i = 0, bits = _mm_movemask_ps(m); i < 4; ++i)
      if (bits >> i & 1) lanes[i] = p[i];
    return load(lanes);
  }
  void store(float* p) const { _mm_storeu_ps(p, v); }
  void store(float* p, Mask m) const {
    float lanes[4];
    store(lanes);
    for (int i = 0, bits = _mm_movemask_ps(m); i < 4; ++i)
      if (bits >> i & 1) p[i] = lanes[i];
  }

  friend F32x4 operator+(F32x4 a, F32x4 b) { return {_mm_add_ps(a.v, b.v)}; }
  friend F32x4 operator-(F32x4 a, F32x4 b) { return {_mm_sub_ps(a.v, b.v)}; }
  friend F32x4 operator*(F32x4 a, F32x4 b) { return {_mm_mul_ps(a.v, b.v)}; }
  friend F32x4 operator/(F32x4 a, F32x4 b) { return {_mm_div_ps(a.v, b.v)}; }
};

inline F32x4 fma(F32x4 a, F32x4 b, F32x4 c) { return a * b + c; }
inline F32x4 fnma(F32x4 a, F32x4 b, F32x4 c) { return c - a * b; }
inline F32x4 min(F32x4 a, F32x4 b) { return {_mm_min_ps(a.v, b.v)}; }
inline F32x4 max(F32x4 a, F32x4 b) { return {_mm_max_ps(a.v, b.v)}; }
inline F32x4 abs(F32x4 a) { return {_mm_andnot_ps(_mm_set1_ps(-0.0f), a.v)}; }
inline F32x4::Mask less(F32x4 a, F32x4 b) { return _mm_cmplt_ps(a.v, b.v); }
inline F32x4 select(F32x4::Mask m, F32x4 yes, F32x4 no) { return {_mm_or_ps(_mm_and_ps(m, yes.v), _mm_andnot_ps(m, no.v))}; }
// For |a| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction.
inline F32x4 round_even(F32x4 a) { return a + F32x4::set(0x1.8p23f) - F32x4::set(0x1.8p23f); }
// a * 2^n, n integral in [-252, 252]: two factors, so that each is a normal power of two.
inline F32x4 scale2(F32x4 a, F32x4 n) {
  const __m128i whole = _mm_cvtps_epi32(n.v), half = _mm_srai_epi32(whole, 1), rest = _mm_sub_epi32(whole, half);
  const auto power = [](__m128i e) { return F32x4{_mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(e, _mm_set1_epi32(127)), 23))}; };
  return a * power(half) * power(rest);
}

inline __m128i select4(__m128i m, __m128i yes, __m128i no) { return _mm_or_si128(_mm_and_si128(m, yes), _mm_andnot_si128(m, no)); }
inline __m128i sign_of4(__m128i bits, int sign_bit) {  // the f32 sign moved down to bit `sign_bit`
  return _mm_and_si128(_mm_srl_epi32(bits, _mm_cvtsi32_si128(31 - sign_bit)), _mm_set1_epi32(1 << sign_bit));
}

inline F32x4 decode_bf16x4(__m128i bits) { return {_mm_castsi128_ps(_mm_slli_epi32(bits, 16))}; }
// A float with `mantissa` bits of mantissa, exponents biased by less: rebias, and patch what is subnormal or special.
inline F32x4 decode_small4(__m128i code, int sign_bit, int mantissa, int bias, int special, __m128i special_bits) {
  const __m128i magnitude = _mm_and_si128(code, _mm_set1_epi32((1 << sign_bit) - 1));
  const __m128i up = _mm_cvtsi32_si128(23 - mantissa);
  __m128i bits = _mm_add_epi32(_mm_sll_epi32(magnitude, up), _mm_set1_epi32((127 - bias) << 23));
  const float unit = _mm_cvtss_f32(_mm_castsi128_ps(_mm_set1_epi32((128 - bias - mantissa) << 23)));
  const __m128 small = _mm_mul_ps(_mm_cvtepi32_ps(magnitude), _mm_set1_ps(unit));
  bits = select4(_mm_cmplt_epi32(magnitude, _mm_set1_epi32(1 << mantissa)), _mm_castps_si128(small), bits);
  const __m128i is_special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(special - 1));
  bits = select4(is_special, _mm_or_si128(special_bits, _mm_sll_epi32(magnitude, up)), bits);
  const __m128i sign = _mm_sll_epi32(_mm_and_si128(code, _mm_set1_epi32(1 << sign_bit)), _mm_cvtsi32_si128(31 - sign_bit));
  return {_mm_castsi128_ps(_mm_or_si128(bits, sign))};
}
inline F32x4 decode_f16x4(__m128i bits) { return decode_small4(bits, 15, 10, 15, 0x7c00, _mm_set1_epi32(0x7f800000)); }
inline F32x4 decode_e4m3x4(__m128i code) { return decode_small4(code, 7, 3, 7, 0x7f, _mm_set1_epi32(0x7fc00000)); }

inline __m128i round_off4(__m128i bits, int shift) {  // bits / 2^shift to nearest even; bits >= 0
  const __m128i by = _mm_cvtsi32_si128(shift);
  const __m128i odd = _mm_and_si128(_mm_srl_epi32(bits, by), _mm_set1_epi32(1));
  return _mm_srl_epi32(_mm_add_epi32(_mm_add_epi32(bits, odd), _mm_set1_epi32((1 << (shift - 1)) - 1)), by);
}
// Rounds |x| to `mantissa` bits; below the smallest normal, `anchor` + |x| has its last bit where the code has.
inline __m128i encode_small4(__m128i magnitude, int mantissa, int bias, float anchor) {
  const __m128i normal = round_off4(_mm_sub_epi32(magnitude, _mm_set1_epi32((127 - bias) << 23)), 23 - mantissa);
  const __m128 sum = _mm_add_ps(_mm_castsi128_ps(magnitude), _mm_set1_ps(anchor));
  const __m128i small = _mm_sub_epi32(_mm_castps_si128(sum), _mm_castps_si128(_mm_set1_ps(anchor)));
  return select4(_mm_cmplt_epi32(magnitude, _mm_set1_epi32((128 - bias) << 23)), small, normal);
}
inline __m128i encode_bf16x4(F32x4 x) {
  const __m128i bits = _mm_castps_si128(x.v), magnitude = _mm_and_si128(bits, _mm_set1_epi32(0x7fffffff));
  const __m128i quiet = _mm_or_si128(_mm_srli_epi32(magnitude, 16), _mm_set1_epi32(0x40));
  const __m128i code = select4(_mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7f800000)), quiet, round_off4(magnitude, 16));
  return _mm_or_si128(code, sign_of4(bits, 15));
}
inline __m128i encode_f16x4(F32x4 x) {
  const __m128i bits = _mm_castps_si128(x.v), magnitude = _mm_and_si128(bits, _mm_set1_epi32(0x7fffffff));
  __m128i code = encode_small4(magnitude, 10, 15, 0.5f);
  code = select4(_mm_cmplt_epi32(magnitude, _mm_set1_epi32(0x477ff000)), code, _mm_set1_epi32(0x7c00));  // 65520 and more: infinity
  const __m128i quiet = _mm_or_si128(_mm_set1_epi32(0x7e00), _mm_and_si128(_mm_srli_epi32(magnitude, 13), _mm_set1_epi32(0x3ff)));
  code = select4(_mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7f800000)), quiet, code);
  return _mm_or_si128(code, sign_of4(bits, 15));
}
inline __m128i encode_e4m3x4(F32x4 x) {
  const __m128i bits = _mm_castps_si128(x.v), magnitude = _mm_and_si128(bits, _mm_set1_epi32(0x7fffffff));
  const __m128i most = _mm_set1_epi32(0x43e00000);  // 448
  __m128i code = encode_small4(select4(_mm_cmpgt_epi32(magnitude, most), most, magnitude), 3, 7, 0x1p14f);
  code = select4(_mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7f800000)), _mm_set1_epi32(0x7f), code);
  return _mm_or_si128(code, sign_of4(bits, 7));
}

inline F32x4 through_e4m3(F32x4 x) { return decode_e4m3x4(encode_e4m3x4(x)); }  // to the nearest e4m3 value

inline __m128i widen16x4(const void* p) {
  uint64_t four;
  std::memcpy(&four, p, 8);
  return _mm_unpacklo_epi16(_mm_cvtsi64_si128(static_cast<int64_t>(four)), _mm_setzero_si128());
}
inline __m128i widen8x4(const void* p) {
  uint32_t four;
  std::memcpy(&four, p, 4);
  const __m128i zero = _mm_setzero_si128();
  return _mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(static_cast<int32_t>(four)), zero), zero);
}
inline F32x4 load4_as(DType type, const uint8_t* p) {
  switch (type) {
    case DType::f32:
      return {_mm_loadu_ps(reinterpret_cast<const float*>(p))};
    case DType::f16:
      return decode_f16x4(widen16x4(p));
    case DType::bf16:
      return decode_bf16x4(widen16x4(p));
    default:
      return decode_e4m3x4(widen8x4(p));
  }
}
inline void store4_as(DType type, uint8_t* p, F32x4 x) {
  if (type == DType::f32) return x.store(reinterpret_cast<float*>(p));
  if (type == DType::e4m3) {
    const __m128i codes = _mm_packs_epi32(encode_e4m3x4(x), _mm_setzero_si128());  // below 256: no saturation
    const int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(codes, codes));
    std::memcpy(p, &four, 4);
    return;
  }
  const __m128i codes = type == DType::f16 ? encode_f16x4(x) : encode_bf16x4(x);
  const __m128i halves = _mm_srai_epi32(_mm_slli_epi32(codes, 16), 16);  // as signed, which the pack does not saturate
  const int64_t four = _mm_cvtsi128_si64(_mm_packs_epi32(halves, halves));
  std::memcpy(p, &four, 8);
}

// Lanes of an array of `type` (f32, f16, bf16, e4m3) as f32, and back with one rounding. Masked lanes read 0 and are not touched.
inline F32x4 load_as(DType type, const void* base, int64_t index, __m128 m) {
  const size_t bytes = type == DType::f32 ? 4 : type == DType::e4m3 ? 1 : 2;
  const uint8_t* p = static_cast<const uint8_t*>(base) + static_cast<size_t>(index) * bytes;
  const int mask = _mm_movemask_ps(m);
  if (mask == 15) return load4_as(type, p);
  uint8_t four[16] = {};
  for (size_t i = 0; i < 4; ++i)
    if (mask >> i & 1) std::memcpy(four + i * bytes, p + i * bytes, bytes);
  return load4_as(type, four);
}
inline void store_as(DType type, void* base, int64_t index, F32x4 x, __m128 m) {
  const size_t bytes = type == DType::f32 ? 4 : type == DType::e4m3 ? 1 : 2;
  uint8_t* p = static_cast<uint8_t*>(base) + static_cast<size_t>(index) * bytes;
  const int mask = _mm_movemask_ps(m);
  if (mask == 15) return store4_as(type, p, x);
  uint8_t four[16];
  store4_as(type, four, x);
  for (size_t i = 0; i < 4; ++i)
    if (mask >> i & 1) std::memcpy(p + i * bytes, four + i * bytes, bytes);
}

// The first `count` of 8 consecutive elements.
template <DType kType>
inline void store_pair(void* base, int64_t index, F32x4 a, F32x4 b, int64_t count) {
  store_as(kType, base, index, a, F32x4::first(count));
  store_as(kType, base, index + 4, b, F32x4::first(count - 4));
}

}  // namespace
}  // namespace octet::cpu
