// 16 x 16 elements of 32 bits turned in registers. Include only from ISA files.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace octet::cpu {
namespace {

// Transposes a 16 x 16 matrix of 32-bit elements, rows in x, and stores its rows `stride` bytes apart.
inline void transpose_store(const __m512i (&x)[16], char* to, int64_t stride) {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      b[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + j + 2]);
      b[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + j + 2]);
    }
  for (int j = 0; j < 4; ++j) {  // b[4 i + j]: column 4 lane + j of rows 4 i .. 4 i + 3
    const __m512i low = _mm512_shuffle_i32x4(b[j], b[4 + j], 0x88), high = _mm512_shuffle_i32x4(b[j], b[4 + j], 0xdd);
    const __m512i low2 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0x88), high2 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0xdd);
    _mm512_storeu_si512(to + j * stride, _mm512_shuffle_i32x4(low, low2, 0x88));
    _mm512_storeu_si512(to + (4 + j) * stride, _mm512_shuffle_i32x4(high, high2, 0x88));
    _mm512_storeu_si512(to + (8 + j) * stride, _mm512_shuffle_i32x4(low, low2, 0xdd));
    _mm512_storeu_si512(to + (12 + j) * stride, _mm512_shuffle_i32x4(high, high2, 0xdd));
  }
}

}  // namespace
}  // namespace octet::cpu
