// simd/math.h on __m512: exp, sigmoid, erf, quick_gelu, gelu_erf, gelu_tanh; f16, bf16 conversions are in f32x16_avx512.h.
// Include only from ISA files.
#pragma once
#include "cpu/simd/f32x16_avx512.h"
#include "cpu/simd/math.h"

namespace octet::cpu {
namespace {

inline __m512 exp(__m512 x) { return exp(F32x16{x}).v; }
inline __m512 sigmoid(__m512 x) { return sigmoid(F32x16{x}).v; }
inline __m512 erf(__m512 x) { return erf(F32x16{x}).v; }
inline __m512 quick_gelu(__m512 x) { return quick_gelu(F32x16{x}).v; }
inline __m512 gelu_erf(__m512 x) { return gelu_erf(F32x16{x}).v; }
inline __m512 gelu_tanh(__m512 x) { return gelu_tanh(F32x16{x}).v; }

}  // namespace
}  // namespace octet::cpu
