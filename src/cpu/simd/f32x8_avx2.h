// Eight f32 lanes in a ymm register: the interface of simd/f32x16_avx512.h for AVX2 machines. Include only from _avx2 files.
// Next: simd/math.h.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "numeric/dtype.h"

namespace octet::cpu {
namespace {

struct F32x8 {
  static constexpr int kLanes = 8;
  static constexpr float kE4m3Unit = 1;  // store_pair<e4m3> takes values as they are
  struct Mask {
    __m256i lanes;
    int count;
  };
  __m256 v;

  static F32x8 zero() { return {_mm256_setzero_ps()}; }
  static F32x8 set(float x) { return {_mm256_set1_ps(x)}; }
  static Mask first(int64_t count) {
    const int n = count >= 8 ? 8 : count <= 0 ? 0 : static_cast<int>(count);
    return {_mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)), n};
  }
  static F32x8 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static F32x8 load(const float* p, Mask m) { return {_mm256_maskload_ps(p, m.lanes)}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store(float* p, Mask m) const { _mm256_maskstore_ps(p, m.lanes, v); }

  friend F32x8 operator+(F32x8 a, F32x8 b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend F32x8 operator-(F32x8 a, F32x8 b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend F32x8 operator*(F32x8 a, F32x8 b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend F32x8 operator/(F32x8 a, F32x8 b) { return {_mm256_div_ps(a.v, b.v)}; }
};

inline F32x8 fma(F32x8 a, F32x8 b, F32x8 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline F32x8 fnma(F32x8 a, F32x8 b, F32x8 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
inline F32x8 min(F32x8 a, F32x8 b) { return {_mm256_min_ps(a.v, b.v)}; }
inline F32x8 max(F32x8 a, F32x8 b) { return {_mm256_max_ps(a.v, b.v)}; }
inline F32x8 abs(F32x8 a) { return {_mm256_and_ps(a.v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)))}; }
inline F32x8 round_even(F32x8 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
// a * 2^n for integral n in [-252, 252], in two halves so that results down to the subnormals are right.
inline F32x8 scale2(F32x8 a, F32x8 n) {
  const __m256i whole = _mm256_cvtps_epi32(n.v), half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256 x = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const __m256 y = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return {_mm256_mul_ps(_mm256_mul_ps(a.v, x), y)};
}
inline __m256 less(F32x8 a, F32x8 b) { return _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ); }
inline F32x8 select(__m256 m, F32x8 yes, F32x8 no) { return {_mm256_blendv_ps(no.v, yes.v, m)}; }

inline F32x8 decode_f16x8(__m128i bits) { return {_mm256_cvtph_ps(bits)}; }
inline F32x8 decode_bf16x8(__m128i bits) { return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))}; }
inline __m128i encode_f16x8(F32x8 x) { return _mm256_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline __m128i low_halves(__m256i x) {  // of values below 2^16
  return _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}
inline __m128i encode_bf16x8(F32x8 x) {
  const __m256i bits = _mm256_castps_si256(x.v), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff)), 16);
  const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
  return low_halves(_mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q))));
}
// Codes, sign-extended to 16 bits, as f16 times 2^-8: the bits in their places, subnormals too; 0x7f and 0xff become NaN.
inline __m256i e4m3_as_f16(__m256i codes) {
  const __m256i bits = _mm256_and_si256(_mm256_slli_epi16(codes, 7), _mm256_set1_epi16(static_cast<int16_t>(0xbf80)));
  const __m256i top = _mm256_set1_epi16(0x3f80), nan = _mm256_cmpeq_epi16(_mm256_and_si256(bits, top), top);
  return _mm256_xor_si256(bits, _mm256_and_si256(nan, _mm256_set1_epi16(0x3f80 ^ 0x7e00)));
}
inline F32x8 from_e4m3_f16(__m128i bits) { return {_mm256_mul_ps(_mm256_cvtph_ps(bits), _mm256_set1_ps(0x1p8f))}; }
// Eight codes in the low bytes, or all sixteen.
inline F32x8 decode_e4m3x8(__m128i codes) {
  return from_e4m3_f16(_mm256_castsi256_si128(e4m3_as_f16(_mm256_castsi128_si256(_mm_cvtepi8_epi16(codes)))));
}
inline void decode_e4m3x16(__m128i codes, F32x8& low, F32x8& high) {
  const __m256i bits = e4m3_as_f16(_mm256_cvtepi8_epi16(codes));
  low = from_e4m3_f16(_mm256_castsi256_si128(bits)), high = from_e4m3_f16(_mm256_extracti128_si256(bits, 1));
}
// Nearest even, saturating; NaN -> 0x7f with its sign. As encode_e4m3x16.
inline __m128i encode_e4m3x8(F32x8 x) {
  const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(x.v), 24), _mm256_set1_epi32(0x80));
  const __m256 a = _mm256_min_ps(abs(x).v, _mm256_set1_ps(448.f));
  const __m256i bits = _mm256_castps_si256(a), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 20), _mm256_set1_epi32(1));
  __m256i code = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7ffff - (120 << 23))), 20);
  const __m256i small = _mm256_castps_si256(_mm256_add_ps(a, _mm256_set1_ps(0x1p14f)));
  const __m256 subnormal = _mm256_cmp_ps(a, _mm256_set1_ps(0x1p-6f), _CMP_LT_OQ);
  code = _mm256_blendv_epi8(code, _mm256_sub_epi32(small, _mm256_set1_epi32(0x46800000)), _mm256_castps_si256(subnormal));
  const __m256 nan = _mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q);
  code = _mm256_or_si256(_mm256_blendv_epi8(code, _mm256_set1_epi32(0x7f), _mm256_castps_si256(nan)), sign);
  const __m128i words = low_halves(code);
  return _mm_packus_epi16(words, words);
}

inline F32x8 through_e4m3(F32x8 x) { return decode_e4m3x8(encode_e4m3x8(x)); }  // to the nearest e4m3 value

inline __m128i load_bytes(const uint8_t* p, int count) {  // 0 .. 16, zeros beyond
  alignas(16) uint8_t bytes[16] = {};
  __builtin_memcpy(bytes, p, static_cast<size_t>(count));
  return _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
}
inline void store_bytes(uint8_t* p, __m128i x, int count) {
  alignas(16) uint8_t bytes[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(bytes), x);
  __builtin_memcpy(p, bytes, static_cast<size_t>(count));
}

// Lanes of an array of `type` (f32, f16, bf16, e4m3) as f32, and back with one rounding.
inline F32x8 load_as(DType type, const void* base, int64_t index, F32x8::Mask m) {
  const auto* bytes = static_cast<const uint8_t*>(base) + index * (type == DType::e4m3 ? 1 : type == DType::f32 ? 4 : 2);
  if (type == DType::f32) return {_mm256_maskload_ps(reinterpret_cast<const float*>(bytes), m.lanes)};
  if (type == DType::e4m3)
    return decode_e4m3x8(m.count == 8 ? _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)) : load_bytes(bytes, m.count));
  const __m128i halves = m.count == 8 ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)) : load_bytes(bytes, 2 * m.count);
  return type == DType::f16 ? decode_f16x8(halves) : decode_bf16x8(halves);
}
inline void store_as(DType type, void* base, int64_t index, F32x8 x, F32x8::Mask m) {
  auto* bytes = static_cast<uint8_t*>(base) + index * (type == DType::e4m3 ? 1 : type == DType::f32 ? 4 : 2);
  if (type == DType::f32) return _mm256_maskstore_ps(reinterpret_cast<float*>(bytes), m.lanes, x.v);
  const __m128i packed = type == DType::e4m3 ? encode_e4m3x8(x) : type == DType::f16 ? encode_f16x8(x) : encode_bf16x8(x);
  const int size = type == DType::e4m3 ? 1 : 2;
  if (m.count < 8) return store_bytes(bytes, packed, size * m.count);
  if (size == 2) return _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), packed);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(bytes), packed);
}

// The first `count` of 16 consecutive elements; zeros beyond.
template <DType kType>
inline void load_pair(const void* base, int64_t index, F32x8& a, F32x8& b, int64_t count) {
  if (kType == DType::e4m3 && count >= 16)
    return decode_e4m3x16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const uint8_t*>(base) + index)), a, b);
  a = load_as(kType, base, index, F32x8::first(count)), b = load_as(kType, base, index + 8, F32x8::first(count - 8));
}
// The first `count` of 16 consecutive elements.
template <DType kType>
inline void store_pair(void* base, int64_t index, F32x8 a, F32x8 b, int64_t count) {
  store_as(kType, base, index, a, F32x8::first(count));
  store_as(kType, base, index + 8, b, F32x8::first(count - 8));
}

}  // namespace
}  // namespace octet::cpu
