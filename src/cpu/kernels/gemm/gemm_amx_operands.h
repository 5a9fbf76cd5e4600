// The operand types of the AMX kernels: how packed weights and rows of a become bf16 tiles. Included by gemm_amx.cpp only.
//
// kPlanes: bf16 tiles per tile of the type. kBytes, kWeightBytes: of an element of a and of packed w. expand(): up to 32 elements (k) of
// one row of a, expand2(): exactly 64 into two tiles. widen(): packed weights to tiles; kDirect: the packed bytes are tiles already. A step
// of a strip or block is two tiles (rows or columns 0-15, 16-31) of the first plane, then two of the second.
#pragma once
#include "cpu/simd/e4m3_avx512.h"

namespace octet::cpu {
namespace {

constexpr int kTileBytes = 1024;     // 16 rows of 64 bytes
constexpr int64_t kFarAhead = 4096;  // packed weights come from memory: they are asked for so many bytes before they are widened

struct E4m3Operand {
  static constexpr int kPlanes = 1, kBytes = 1, kWeightBytes = 1;
  static constexpr bool kDirect = false;
  E4m3ToBf16 table;

  void expand(const uint8_t* a, int64_t count, char* tile) const { _mm512_store_si512(tile, table.load(a, count)); }
  void expand2(const uint8_t* a, char* tile, char* next) const {
    __m512i first, second;
    table.ordered(_mm512_loadu_si512(a), first, second);
    _mm512_store_si512(tile, first);
    _mm512_store_si512(next, second);
  }
  void widen(const uint8_t* packed, char* tiles, int64_t count) const {
    for (int64_t i = 0; i < count * (kTileBytes / 128); ++i) {
      __m512i first, second;
      _mm_prefetch(packed + i * 64 + kFarAhead, _MM_HINT_T0);
      table.interleaved(_mm512_load_si512(packed + i * 64), first, second);
      _mm512_store_si512(tiles + i * 128, first);
      _mm512_store_si512(tiles + i * 128 + 64, second);
    }
  }
};

// Weights that were widened before they were packed.
struct E4m3ByBf16Operand : E4m3Operand {
  static constexpr int kWeightBytes = 2;
  static constexpr bool kDirect = true;
};

struct Bf16Operand {
  static constexpr int kPlanes = 1, kBytes = 2, kWeightBytes = 2;
  static constexpr bool kDirect = true;

  void expand(const uint8_t* a, int64_t count, char* tile) const { _mm512_store_si512(tile, load_halves(a, count)); }
  void expand2(const uint8_t* a, char* tile, char* next) const {
    _mm512_store_si512(tile, _mm512_loadu_si512(a));
    _mm512_store_si512(next, _mm512_loadu_si512(a + 64));
  }
};

// x = high + low: high is x rounded to bf16, low the rest, which has at most 3 significant bits and is no smaller than 2^-24, so both
// are exact normal bf16. Low of an infinity or a NaN is 0.
struct F16Operand {
  static constexpr int kPlanes = 2, kBytes = 2, kWeightBytes = 2;
  static constexpr bool kDirect = false;

  static __m512 widened(__m256i bf16) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16)); }
  static void split(__m512i halves, char* high_row, char* low_row) {
    constexpr int kNanOrInfinity = 0x99;
    const __m512 x0 = _mm512_cvtph_ps(_mm512_castsi512_si256(halves)), x1 = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1));
    const auto high = (__m512i)_mm512_cvtne2ps_pbh(x1, x0);
    const __m512 high0 = widened(_mm512_castsi512_si256(high)), high1 = widened(_mm512_extracti64x4_epi64(high, 1));
    const __m512 low0 = _mm512_maskz_sub_ps(~_mm512_fpclass_ps_mask(x0, kNanOrInfinity), x0, high0);
    const __m512 low1 = _mm512_maskz_sub_ps(~_mm512_fpclass_ps_mask(x1, kNanOrInfinity), x1, high1);
    _mm512_store_si512(high_row, high);
    _mm512_store_si512(low_row, (__m512i)_mm512_cvtne2ps_pbh(low1, low0));
  }
  void expand(const uint8_t* a, int64_t count, char* tile) const { split(load_halves(a, count), tile, tile + 2 * kTileBytes); }
  void expand2(const uint8_t* a, char* tile, char* next) const {
    split(_mm512_loadu_si512(a), tile, tile + 2 * kTileBytes);
    split(_mm512_loadu_si512(a + 64), next, next + 2 * kTileBytes);
  }
  void widen(const uint8_t* packed, char* tiles, int64_t count) const {
    for (int64_t pair = 0; pair < count / 2; ++pair)
      for (int64_t row = 0; row < 32; ++row) {
        char* high = tiles + pair * 4 * kTileBytes + row * 64;
        _mm_prefetch(packed + (pair * 32 + row) * 64 + kFarAhead, _MM_HINT_T0);
        split(_mm512_load_si512(packed + (pair * 32 + row) * 64), high, high + 2 * kTileBytes);
      }
  }
};

}  // namespace
}  // namespace octet::cpu
