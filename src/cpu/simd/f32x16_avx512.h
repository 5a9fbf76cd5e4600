// Sixteen f32 lanes in a zmm register, with loads and stores of every element type the kernels read and write.
// Same interface as simd/f32x8_avx2.h, so that simd/math.h and the GEMM templates are written once. Include only from ISA files
// (_avx512, _avx512bf16, _amx): all of it has internal linkage. Next: simd/math.h.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "numeric/dtype.h"

namespace octet::cpu {
namespace {

struct F32x16 {
  static constexpr int kLanes = 16;
  static constexpr float kE4m3Unit = 0x1p-8f;  // store_pair<e4m3> takes values times this
  using Mask = __mmask16;
  __m512 v;

  static F32x16 zero() { return {_mm512_setzero_ps()}; }
  static F32x16 set(float x) { return {_mm512_set1_ps(x)}; }
  // The first `count` lanes (none below 1, all from 16 on); masked loads give zero elsewhere, masked stores leave memory alone.
  static Mask first(int64_t count) { return static_cast<Mask>(count >= 16 ? 0xffffu : count <= 0 ? 0u : (1u << count) - 1); }
  static F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static F32x16 load(const float* p, Mask m) { return {_mm512_maskz_loadu_ps(m, p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(float* p, Mask m) const { _mm512_mask_storeu_ps(p, m, v); }

  friend F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend F32x16 operator/(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
};

inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }    // a * b + c
inline F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }  // c - a * b
// As the instructions do: the second operand if either is NaN.
inline F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F32x16 abs(F32x16 a) { return {_mm512_abs_ps(a.v)}; }
inline F32x16 round_even(F32x16 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline F32x16 scale2(F32x16 a, F32x16 n) { return {_mm512_scalef_ps(a.v, n.v)}; }  // a * 2^n, n integral
inline __mmask16 less(F32x16 a, F32x16 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
inline F32x16 select(__mmask16 m, F32x16 yes, F32x16 no) { return {_mm512_mask_blend_ps(m, no.v, yes.v)}; }

inline F32x16 decode_f16x16(__m256i bits) { return {_mm512_cvtph_ps(bits)}; }
inline F32x16 decode_bf16x16(__m256i bits) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))}; }
inline __m256i encode_f16x16(F32x16 x) { return _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// The upper halves of the lanes are the nearest bf16, the lower halves anything. By integers and not vcvtneps2pbh, which flushes
// subnormals. NaN stays NaN (quiet, same sign).
inline __m512i round_to_bf16(F32x16 x) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff));
  const __mmask16 nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
  return _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
}
inline __m256i encode_bf16x16(F32x16 x) { return _mm512_cvtepi32_epi16(_mm512_srli_epi32(round_to_bf16(x), 16)); }

// Sixteen codes to f32, exact: subnormal codes and NaN (0x7f, 0xff -> NaN) included.
inline F32x16 decode_e4m3x16(__m128i codes) {
  const __m512i c = _mm512_cvtepu8_epi32(codes);
  const __m512i magnitude = _mm512_and_si512(c, _mm512_set1_epi32(0x7f));
  const __m512i sign = _mm512_slli_epi32(_mm512_and_si512(c, _mm512_set1_epi32(0x80)), 24);
  __m512i bits = _mm512_add_epi32(_mm512_slli_epi32(magnitude, 20), _mm512_set1_epi32(120 << 23));
  const __mmask16 subnormal = _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(8));
  const __mmask16 nan = _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x7f));
  const __m512 small = _mm512_mul_ps(_mm512_cvtepi32_ps(magnitude), _mm512_set1_ps(0x1p-9f));
  bits = _mm512_mask_mov_epi32(bits, subnormal, _mm512_castps_si512(small));
  bits = _mm512_mask_mov_epi32(bits, nan, _mm512_set1_epi32(0x7fc00000));
  return {_mm512_castsi512_ps(_mm512_or_si512(bits, sign))};
}
// Nearest even, saturating at +-448 (infinity too); NaN -> 0x7f with its sign.
inline __m128i encode_e4m3x16(F32x16 x) {
  const __m512i sign = _mm512_srli_epi32(_mm512_castps_si512(x.v), 24);
  const __m512 a = _mm512_min_ps(_mm512_abs_ps(x.v), _mm512_set1_ps(448.f));
  const __m512i bits = _mm512_castps_si512(a);
  // Normal: drop 20 mantissa bits with rounding, rebias 127 -> 7. Subnormal: 2^14 + a has its last bit at 2^-9.
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 20), _mm512_set1_epi32(1));
  __m512i code = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7ffff - (120 << 23))), 20);
  const __m512i small = _mm512_castps_si512(_mm512_add_ps(a, _mm512_set1_ps(0x1p14f)));
  const __mmask16 subnormal = _mm512_cmp_ps_mask(a, _mm512_set1_ps(0x1p-6f), _CMP_LT_OQ);
  code = _mm512_mask_sub_epi32(code, subnormal, small, _mm512_set1_epi32(0x46800000));
  code = _mm512_mask_mov_epi32(code, _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q), _mm512_set1_epi32(0x7f));
  return _mm512_cvtepi32_epi8(_mm512_ternarylogic_epi32(code, sign, _mm512_set1_epi32(0x80), 0xf8));  // code | (sign & 0x80)
}

// The same for 32 values already multiplied by 2^-8, in three fifths of the operations: E4M3 times 2^-8 is f16 with 3 mantissa bits
// (2^-6 becomes f16's smallest normal 2^-14, so subnormals agree too). x is rounded to those 3 bits in f32, by adding and removing
// 1.5 * 2^20 times its power of two; the rest is exact: to f16, and the top byte of the magnitude is the code.
// kDown: the values are multiplied by 2^-kDown.
template <int kDown = 8>
inline F32x16 round_to_e4m3(F32x16 x) {
  constexpr float kMost = 448.f / (1 << kDown);
  x = max(F32x16::set(-kMost), min(F32x16::set(kMost), x));  // a NaN stays
  const __m512i power = _mm512_and_si512(_mm512_castps_si512(x.v), _mm512_set1_epi32(0x7f800000));
  const __m512i least = _mm512_max_epi32(power, _mm512_set1_epi32((127 - 6 - kDown) << 23));
  const F32x16 magic{_mm512_castsi512_ps(_mm512_add_epi32(least, _mm512_set1_epi32((20 << 23) + 0x400000)))};
  const __m512i rounded = _mm512_castps_si512(((x + magic) - magic).v);
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);  // of a value rounded to 0
  return {_mm512_castsi512_ps(_mm512_ternarylogic_epi32(rounded, _mm512_castps_si512(x.v), sign, 0xf8))};
}
inline __m256i encode_e4m3x32_scaled(F32x16 a, F32x16 b) {
  const __m512i halves = _mm512_inserti64x4(_mm512_castsi256_si512(encode_f16x16(round_to_e4m3(a))), encode_f16x16(round_to_e4m3(b)), 1);
  __m512i code = _mm512_srli_epi16(_mm512_and_si512(halves, _mm512_set1_epi16(0x7fff)), 7);
  code = _mm512_min_epu16(code, _mm512_set1_epi16(0x7f));  // NaN: 0xfc and more
  return _mm512_cvtepi16_epi8(_mm512_ternarylogic_epi32(code, _mm512_srli_epi16(halves, 8), _mm512_set1_epi16(0x80), 0xf8));
}

inline F32x16 through_e4m3(F32x16 x) { return decode_e4m3x16(encode_e4m3x16(x)); }  // to the nearest e4m3 value

// Lanes of an array of `type` (f32, f16, bf16, e4m3) as f32, and back with one rounding.
inline F32x16 load_as(DType type, const void* base, int64_t index, __mmask16 m) {
  const auto* bytes = static_cast<const uint8_t*>(base);
  switch (type) {
    case DType::f32:
      return {_mm512_maskz_loadu_ps(m, bytes + index * 4)};
    case DType::f16:
      return decode_f16x16(_mm256_maskz_loadu_epi16(m, bytes + index * 2));
    case DType::bf16:
      return decode_bf16x16(_mm256_maskz_loadu_epi16(m, bytes + index * 2));
    default:
      return decode_e4m3x16(_mm_maskz_loadu_epi8(m, bytes + index));
  }
}
inline void store_as(DType type, void* base, int64_t index, F32x16 x, __mmask16 m) {
  auto* bytes = static_cast<uint8_t*>(base);
  switch (type) {
    case DType::f32:
      return _mm512_mask_storeu_ps(bytes + index * 4, m, x.v);
    case DType::f16:
      return _mm256_mask_storeu_epi16(bytes + index * 2, m, encode_f16x16(x));
    case DType::bf16:
      return _mm256_mask_storeu_epi16(bytes + index * 2, m, encode_bf16x16(x));
    default:
      return _mm_mask_storeu_epi8(bytes + index, m, encode_e4m3x16(x));
  }
}

// The first `count` of 32 consecutive elements; zeros beyond. e4m3 through f16: the bits of a code in their places are its value times
// 2^-8, subnormals too.
template <DType kType>
inline void load_pair(const void* base, int64_t index, F32x16& a, F32x16& b, int64_t count) {
  if constexpr (kType == DType::e4m3) {
    const __mmask32 mask = count >= 32 ? ~0u : count <= 0 ? 0u : (1u << count) - 1;
    const __m512i codes = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, static_cast<const uint8_t*>(base) + index));
    const __m512i sign_and_code = _mm512_and_si512(_mm512_slli_epi16(codes, 7), _mm512_set1_epi16(static_cast<int16_t>(0xbf80)));
    const __mmask32 nan = _mm512_cmpeq_epi16_mask(_mm512_and_si512(codes, _mm512_set1_epi16(0x7f)), _mm512_set1_epi16(0x7f));
    const __m512i bits = _mm512_mask_blend_epi16(nan, sign_and_code, _mm512_or_si512(sign_and_code, _mm512_set1_epi16(0x7e00)));
    const F32x16 unit = F32x16::set(0x1p8f);
    a = decode_f16x16(_mm512_castsi512_si256(bits)) * unit, b = decode_f16x16(_mm512_extracti64x4_epi64(bits, 1)) * unit;
  } else {
    a = load_as(kType, base, index, F32x16::first(count)), b = load_as(kType, base, index + 16, F32x16::first(count - 16));
  }
}
// The first `count` of 32 consecutive elements. e4m3: values times kE4m3Unit.
template <DType kType>
inline void store_pair(void* base, int64_t index, F32x16 a, F32x16 b, int64_t count) {
  if constexpr (kType == DType::e4m3) {
    auto* bytes = static_cast<uint8_t*>(base) + index;
    const __m256i codes = encode_e4m3x32_scaled(a, b);
    if (count >= 32) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(bytes), codes);
    _mm256_mask_storeu_epi8(bytes, (1u << count) - 1, codes);
  } else {
    store_as(kType, base, index, a, F32x16::first(count));
    store_as(kType, base, index + 16, b, F32x16::first(count - 16));
  }
}

// 2^x for any x, relative error <= 2^-22.4 where the result is normal; 2^0 is exactly 1. Half the work of simd/math.h's exp: a minimax
// polynomial of degree 5 with p(0) = 1 on an interval of length 1, no reduction by ln 2, and no clamping: vscalefps takes any x.
inline F32x16 exp2(F32x16 x) {
  const __m512 f = _mm512_reduce_ps(x.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // x - floor(x): [0, 1)
  __m512 p = _mm512_set1_ps(0x1.e974fcp-10f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.277854p-7f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.c91ce6p-5f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.ebdb56p-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.62e4bap-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return {_mm512_scalef_ps(p, x.v)};  // takes the floor of x itself
}

// The bounds of the templates in simd/math.h in two thirds of the operations: an error of 2^-22.4 of the exponential is at most 2^-22.4 of
// the result.
constexpr float kLog2E = 1.442695041f;
inline F32x16 quick_gelu(F32x16 x) { return x / (F32x16::set(1.f) + exp2(x * F32x16::set(-1.702f * kLog2E))); }
inline F32x16 gelu_tanh(F32x16 x) {
  const F32x16 cubic = F32x16::set(-0.044715f * 1.595769122f * kLog2E), linear = F32x16::set(-1.595769122f * kLog2E);
  return x / (F32x16::set(1.f) + exp2(x * fma(x * x, cubic, linear)));
}
// x * Phi(x) within 4 * 2^-24 * |x|; preferred to the template of simd/math.h for its 17 operations instead of 40, no division.
// The tail Q(|x|) is a polynomial of degree 4 around the nearest of 16 centres i / 2.7358 (minimax, 1.5 * 2^-24 absolute), whose
// coefficients come by permutation; 0 from 5.3 on, where Q is below 2^-24.
inline F32x16 gelu_erf(F32x16 x) {
  alignas(64) static constexpr float kQ[5][16] = {
      {0.499999996f, 0.35736268f, 0.232379057f, 0.136418711f, 0.0718611612f, 0.0338058398f, 0.0141499633f, 0.00525441702f, 0.00172705891f,
       0.000501551782f, 0.000128505009f, 2.9014205e-5f, 5.76729735e-6f, 1.00847105e-6f, 1.55024575e-7f, 0},
      {-0.398941216f, -0.373160612f, -0.305396481f, -0.218680533f, -0.13700387f, -0.0750983241f, -0.0360163679f, -0.0151125911f,
       -0.00554809142f, -0.00178200884f, -0.00050076376f, -0.000123113964f, -2.64805537e-5f, -4.98293672e-6f, -8.20303866e-7f, 0},
      {-4.6729482e-5f, 0.0681964218f, 0.111625361f, 0.119894968f, 0.100153476f, 0.0686244001f, 0.0394944791f, 0.0193344279f, 0.00811222295f,
       0.00293139171f, 0.000915321303f, 0.000247550953f, 5.80901401e-5f, 1.18429229e-5f, 2.09979382e-6f, 0},
      {0.067208686f, 0.0535979365f, 0.0236903015f, -0.00716834371f, -0.0257269645f, -0.0291351465f, -0.0228340025f, -0.0140048867f,
       -0.0070301076f, -0.00295177046f, -0.00104960317f, -0.000318549327f, -8.29509383e-5f, -1.8602857e-5f, -3.60285959e-6f, 0},
      {-0.00451429248f, -0.0161397252f, -0.0227675048f, -0.0178742882f, -0.00722624764f, 0.00186444206f, 0.00589227411f, 0.00569013551f,
       0.0037556342f, 0.00192216498f, 0.000799263195f, 0.00027630337f, 8.04762517e-5f, 1.99174162e-5f, 4.21320454e-6f, 0}};
  constexpr float kMagic = 0x1.8p23f;  // the sum's low bits are the index
  const F32x16 t = min(F32x16::set(15 / 2.735849142f), abs(x)), shifted = fma(t, F32x16::set(2.735849142f), F32x16::set(kMagic));
  const F32x16 d = fnma(shifted - F32x16::set(kMagic), F32x16::set(1 / 2.735849142f), t);
  const auto coefficient = [&](int i) { return F32x16{_mm512_permutexvar_ps(_mm512_castps_si512(shifted.v), _mm512_load_ps(kQ[i]))}; };
  F32x16 tail = coefficient(4);
  for (int i = 3; i >= 0; --i) tail = fma(tail, d, coefficient(i));
  return x * F32x16{_mm512_mask_sub_ps(tail.v, _mm512_cmp_ps_mask(x.v, _mm512_setzero_ps(), _CMP_NLT_UQ), _mm512_set1_ps(1.f), tail.v)};
}

}  // namespace
}  // namespace octet::cpu
