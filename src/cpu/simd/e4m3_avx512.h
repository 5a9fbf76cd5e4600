// E4M3 codes to bf16, 64 at a time, exact for all 256 codes: E4M3 has 4 significant bits and exponents -9 .. 8, so every value is a
// normal bf16. Two 128-entry byte tables (vpermi2b ignores bit 7 of the index) give the halves of the magnitude; the sign is or-ed
// in. 16 codes to and from f32: decode_e4m3x16, encode_e4m3x16 in simd/f32x16_avx512.h. Include only from ISA files; needs VBMI.
#pragma once
#include <array>

#include "cpu/simd/f32x16_avx512.h"

namespace octet::cpu {
namespace {

constexpr uint16_t bf16_of_e4m3(unsigned magnitude) {  // 0 .. 127
  if (magnitude == 0) return 0;
  if (magnitude == 0x7f) return 0x7fc0;
  unsigned exponent = magnitude >> 3, mantissa = magnitude & 7;
  if (exponent != 0) return static_cast<uint16_t>((exponent + 120) << 7 | mantissa << 4);
  for (exponent = 1; (mantissa & 8) == 0; --exponent) mantissa <<= 1;  // subnormal: mantissa * 2^-9
  return static_cast<uint16_t>((exponent + 120) << 7 | (mantissa & 7) << 4);
}
template <int kShift>
constexpr std::array<uint8_t, 128> bf16_bytes() {
  std::array<uint8_t, 128> bytes{};
  for (unsigned i = 0; i < 128; ++i) bytes[i] = static_cast<uint8_t>(bf16_of_e4m3(i) >> kShift);
  return bytes;
}
alignas(64) constexpr std::array<uint8_t, 128> kBf16Low = bf16_bytes<0>();
alignas(64) constexpr std::array<uint8_t, 128> kBf16High = bf16_bytes<8>();

inline __mmask32 first32(int64_t count) { return count >= 32 ? ~__mmask32{0} : count <= 0 ? __mmask32{0} : (__mmask32{1} << count) - 1; }
// 32 16-bit elements, zeros from `count` on. Whole vectors without a mask: faster on AMD Zen 5 (docs/kernels/gemm.md).
inline __m512i load_halves(const void* from, int64_t count) {
  return count >= 32 ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi16(first32(count), from);
}

struct E4m3ToBf16 {
  __m512i low0 = _mm512_load_si512(kBf16Low.data()), low1 = _mm512_load_si512(kBf16Low.data() + 64);
  __m512i high0 = _mm512_load_si512(kBf16High.data()), high1 = _mm512_load_si512(kBf16High.data() + 64);

  // The cheap order: first = codes 0-7, 16-23, 32-39, 48-55; second = codes 8-15, 24-31, 40-47, 56-63.
  void interleaved(__m512i codes, __m512i& first, __m512i& second) const {
    const __m512i low = _mm512_permutex2var_epi8(low0, codes, low1);
    __m512i high = _mm512_permutex2var_epi8(high0, codes, high1);
    high = _mm512_ternarylogic_epi32(high, codes, _mm512_set1_epi8(-128), 0xf8);  // high | (codes & 0x80)
    first = _mm512_unpacklo_epi8(low, high);
    second = _mm512_unpackhi_epi8(low, high);
  }
  // first = codes 0 .. 31, second = codes 32 .. 63: one more shuffle.
  void ordered(__m512i codes, __m512i& first, __m512i& second) const {
    interleaved(_mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), codes), first, second);
  }
  // The same as load_halves(), from codes.
  __m512i load(const uint8_t* from, int64_t count) const {
    return half(count >= 32 ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)) : _mm256_maskz_loadu_epi8(first32(count), from));
  }
  // 32 codes in order.
  __m512i half(__m256i codes) const {
    __m512i first, second;
    interleaved(_mm512_permutexvar_epi64(_mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3), _mm512_castsi256_si512(codes)), first, second);
    return first;
  }
};

}  // namespace
}  // namespace octet::cpu
