// Sum and maximum over the lanes of a vector (F32x4, F32x8, F32x16) in one fixed order, halves onto halves; and 2^x for softmax.
// simd/native.h includes it after the vector.
#pragma once

namespace octet::cpu {
namespace {

template <class V>
inline float sum_of(V x) {
  float lanes[V::kLanes];
  x.store(lanes);
  for (int width = V::kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}
template <class V>
inline float max_of(V x) {
  float lanes[V::kLanes];
  x.store(lanes);
  for (int width = V::kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
  return lanes[0];
}
#if defined(__AVX512F__)
inline float sum_of(F32x16 x) { return _mm512_reduce_add_ps(x.v); }
inline float max_of(F32x16 x) { return _mm512_reduce_max_ps(x.v); }
#endif

#if defined(__AVX2__) && !defined(__AVX512F__)
inline F32x8 select(F32x8::Mask m, F32x8 yes, F32x8 no) { return select(_mm256_castsi256_ps(m.lanes), yes, no); }
#endif

// 2^x for x <= 0 or slightly above, relative error <= 2^-22.4; 2^0 is exactly 1. NaN stays NaN. Below -126 the result may be
// anything in [0, 2^-126]: what a softmax would do with it is lost in its sum. Half the work of exp(): a minimax polynomial of
// degree 5 with p(0) = 1 on an interval of length 1, and no reduction by ln 2.
#if defined(__AVX512F__)
inline F32x16 exp2_nonpositive(F32x16 x) { return exp2(x); }
#else
template <class V>
inline V exp2_nonpositive(V x) {
  x = max(V::set(-126.0f), x);
  const V n = (x + V::set(0x1.8p23f)) - V::set(0x1.8p23f);
  const V f = x - n;  // [-1/2, 1/2]
  V p = V::set(0x1.5bba14p-10f);
  p = fma(p, f, V::set(0x1.3cea88p-7f));
  p = fma(p, f, V::set(0x1.c6b752p-5f));
  p = fma(p, f, V::set(0x1.ebf9bcp-3f));
  p = fma(p, f, V::set(0x1.62e42ap-1f));
  p = fma(p, f, V::set(1.0f));
  return scale2(p, n);
}
#endif

// The largest power of two <= x, x >= 0 normal; 0 for less, infinity for infinity and NaN.
#if defined(__AVX512F__)
inline F32x16 power_below(F32x16 x) { return {_mm512_and_ps(x.v, _mm512_castsi512_ps(_mm512_set1_epi32(0x7f800000)))}; }
#elif defined(__AVX2__)
inline F32x8 power_below(F32x8 x) { return {_mm256_and_ps(x.v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7f800000)))}; }
#else
inline F32x4 power_below(F32x4 x) { return {_mm_and_ps(x.v, _mm_castsi128_ps(_mm_set1_epi32(0x7f800000)))}; }
#endif

// x >= 0 to the nearest e4m3 value (ties to even, at most 448), kept in f32; NaN stays NaN. Adding 1.5 * 2^20 * power_below(x)
// leaves 3 mantissa bits of x; below 2^-6 the step is 2^-9.
template <class V>
inline V nearest_e4m3(V x) {
  x = min(V::set(448.0f), x);
  const V power = max(V::set(0x1p-6f), power_below(x)), room = V::set(0x1.8p20f);
  return fnma(power, room, fma(power, room, x));  // both products are exact
}

}  // namespace
}  // namespace octet::cpu
