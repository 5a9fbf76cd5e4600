// One vector of f32 lanes, as wide as the including file's instruction set: 16 with AVX-512, 8 with AVX2, else 4.
// A kernel written over it once is compiled three times. All in an anonymous namespace on purpose: each file has its own copy,
// so no copy compiled for a newer CPU can be linked into an older path. Next: vec_convert.h (loads and stores of the small dtypes).
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace octet::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Vf __attribute__((vector_size(kLanes * 4)));
typedef int32_t Vi __attribute__((vector_size(kLanes * 4)));   // also the result of a comparison: 0 or -1 in each lane
typedef uint32_t Vu __attribute__((vector_size(kLanes * 4)));

inline Vf splat(float x) { return Vf{} + x; }
inline Vi splat(int32_t x) { return Vi{} + x; }
inline Vi bits_of(Vf x) { return reinterpret_cast<Vi>(x); }
inline Vf float_of(Vi x) { return reinterpret_cast<Vf>(x); }
inline Vi shift_right(Vi x, int by) { return reinterpret_cast<Vi>(reinterpret_cast<Vu>(x) >> by); }  // zeros come in
inline Vf to_float(Vi x) { return __builtin_convertvector(x, Vf); }
inline Vi lane_index() {
  Vi index;
  for (int i = 0; i < kLanes; ++i) index[i] = i;
  return index;
}

inline Vf load(const float* from) {
  Vf x;
  std::memcpy(&x, from, sizeof x);
  return x;
}
inline void store(Vf x, float* to) { std::memcpy(to, &x, sizeof x); }

// a * b + c; one rounding where the instruction set has FMA. larger, smaller: a NaN in b comes through, a NaN in a is dropped.
#if defined(__AVX512F__)
inline Vf fma(Vf a, Vf b, Vf c) { return _mm512_fmadd_ps(a, b, c); }
inline Vf larger(Vf a, Vf b) { return _mm512_max_ps(a, b); }
inline Vf smaller(Vf a, Vf b) { return _mm512_min_ps(a, b); }
inline float sum_of(Vf x) { return _mm512_reduce_add_ps(x); }
inline float max_of(Vf x) { return _mm512_reduce_max_ps(x); }
#else
#if defined(__AVX2__)
inline Vf fma(Vf a, Vf b, Vf c) { return _mm256_fmadd_ps(a, b, c); }
inline Vf larger(Vf a, Vf b) { return _mm256_max_ps(a, b); }
inline Vf smaller(Vf a, Vf b) { return _mm256_min_ps(a, b); }
#else
inline Vf fma(Vf a, Vf b, Vf c) { return a * b + c; }
inline Vf larger(Vf a, Vf b) { return _mm_max_ps(a, b); }
inline Vf smaller(Vf a, Vf b) { return _mm_min_ps(a, b); }
#endif
// In a fixed order: halves onto halves.
inline float sum_of(Vf x) {
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) x[i] += x[i + width];
  return x[0];
}
inline float max_of(Vf x) {
  float most = x[0];
  for (int i = 1; i < kLanes; ++i) most = x[i] > most ? x[i] : most;
  return most;
}
#endif

// 2^x for x <= 0 (x < -126 counts as -126, so nothing subnormal arises; NaN stays NaN). Relative error <= 2^-22.4: the minimax
// polynomial of degree 5 on [-1/2, 1/2] with p(0) = 1 gives 2^-23.4, its evaluation the rest. 2^0 is exactly 1.
inline Vf exp2_nonpositive(Vf x) {
  x = larger(splat(-126.0f), x);
  const Vf magic = splat(0x1.8p23f);                  // adding it rounds to an integer, kept in the low bits
  const Vf shifted = x + magic;
  const Vf f = x - (shifted - magic);
  Vf p = splat(0x1.5bba14p-10f);
  p = fma(p, f, splat(0x1.3cea88p-7f));
  p = fma(p, f, splat(0x1.c6b752p-5f));
  p = fma(p, f, splat(0x1.ebf9bcp-3f));
  p = fma(p, f, splat(0x1.62e42ap-1f));
  p = fma(p, f, splat(1.0f));
  return float_of(bits_of(p) + (bits_of(shifted) << 23));
}

}  // namespace
}  // namespace octet::cpu
