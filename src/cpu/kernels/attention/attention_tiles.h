// K^T, V and Q of one head as bf16 tiles for attention_amx.cpp. A tile is 16 rows of 64 bytes. Left operands hold 16 rows of 32
// values; right operands hold 32 rows of 16 columns, rows 2i and 2i + 1 interleaved in tile row i. Internal to attention_amx.cpp.
#pragma once
#include "cpu/kernels/attention/attention_softmax_inl.h"
#include "cpu/simd/e4m3_avx512.h"
#include "cpu/simd/transpose_avx512.h"

namespace octet::cpu {
namespace {

constexpr int64_t kTileBytes = 1024;

// 32 values as bf16: their own bits, or two planes whose sum they are.
struct Planes {
  __m512i high, low;
};
// high: x cut to 8 significant bits; low: the rest, rounded to bf16, so together 16 bits; exact for anything of 16 bits or fewer.
inline Planes split_planes(__m512 x, __m512 y) {
  const __m512 mask = _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(0xffff0000)));
  const __m512 x_high = _mm512_and_ps(x, mask), y_high = _mm512_and_ps(y, mask);
  return {(__m512i)_mm512_cvtne2ps_pbh(y_high, x_high), (__m512i)_mm512_cvtne2ps_pbh(_mm512_sub_ps(y, y_high), _mm512_sub_ps(x, x_high))};
}

// Up to 32 values of a row, zeros after `count` (>= 1).
struct E4m3Rows {
  static constexpr int kBytes = 1, kPlanes = 1;
  static constexpr bool kPlainWeights = false;  // weights that are not quantized: one bf16, or two planes
  E4m3ToBf16 table;
  Planes load(const uint8_t* from, int64_t count) const { return {table.load(from, count), _mm512_setzero_si512()}; }
};
struct Bf16Rows {
  static constexpr int kBytes = 2, kPlanes = 1;
  static constexpr bool kPlainWeights = true;
  Planes load(const uint8_t* from, int64_t count) const { return {load_halves(from, count), _mm512_setzero_si512()}; }
};
struct F16Rows {
  static constexpr int kBytes = 2, kPlanes = 2;
  static constexpr bool kPlainWeights = false;
  Planes load(const uint8_t* from, int64_t count) const {
    const __m512i bits = load_halves(from, count);
    Planes planes = split_planes(_mm512_cvtph_ps(_mm512_castsi512_si256(bits)), _mm512_cvtph_ps(_mm512_extracti64x4_epi64(bits, 1)));
    // Infinity minus infinity: an infinity or NaN is all in its high plane.
    const __m512i exponent = _mm512_set1_epi16(0x7c00);
    const __mmask32 finite = _mm512_cmpneq_epi16_mask(_mm512_and_si512(bits, exponent), exponent);
    planes.low = _mm512_maskz_mov_epi16(finite, planes.low);
    return planes;
  }
};

constexpr int64_t kTileRows = 32;  // query rows multiplied at a time: two tiles of 16

// A thread's scratch, in bytes; strides of s and o in floats. Tiles: k [plane][16 tokens][32 dims], v [plane][16 dims][32 tokens],
// q [plane][16 rows][32 dims]. q, s and o hold a chunk of query rows; mask a float a key.
struct TileLayout {
  int64_t k, v, q, s, o, mask, total;
  int64_t k_plane, v_plane, q_plane;
  int64_t dim_steps, token_steps, chunk;
  int64_t s_stride, o_stride;
};
// Scores of a chunk should stay in L2 (2 MiB on the machines with AMX) beside K, V and Q.
constexpr int64_t kChunkBytes = 512 << 10;

inline TileLayout tile_layout(const AttentionProblem& p) {
  const int64_t planes = p.in == DType::f16 ? 2 : 1, dim_tiles = ceil_div(p.head_dim, 16);
  TileLayout l{};
  l.dim_steps = ceil_div(p.head_dim, 32);
  l.token_steps = ceil_div(p.tokens, 32);
  l.s_stride = l.token_steps * 32 + 16;  // a line more: rows must not share cache sets
  l.o_stride = dim_tiles * 16 + 16;
  const int64_t fitting = kChunkBytes / (l.s_stride * 4 * kTileRows);
  l.chunk = at_most(fitting < 1 ? 1 : fitting, l.token_steps) * kTileRows;
  l.k_plane = l.token_steps * 2 * l.dim_steps * kTileBytes;
  l.v_plane = dim_tiles * l.token_steps * kTileBytes;
  l.q_plane = l.chunk / 16 * l.dim_steps * kTileBytes;
  l.v = l.k + planes * l.k_plane;
  l.q = l.v + planes * l.v_plane;
  l.s = l.q + planes * l.q_plane;
  l.o = l.s + l.chunk * l.s_stride * 4;
  l.mask = l.o + l.chunk * l.o_stride * 4;
  l.total = l.mask + mask_floats(p) * 4;
  return l;
}

// K^T: dims 2i and 2i + 1 of a token are one 32-bit element, so a right tile is the transpose of 16 tokens x 16 such elements.
template <class Rows>
inline void pack_keys(const Rows& rows, const TileLayout& l, const AttentionProblem& p, const uint8_t* k, int64_t stride, char* to) {
  for (int64_t tile = 0; tile < l.token_steps * 2; ++tile)
    for (int64_t step = 0; step < l.dim_steps; ++step) {
      __m512i high[16], low[16];
      for (int64_t i = 0; i < 16; ++i) {
        Planes x = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        if (tile * 16 + i < p.tokens) x = rows.load(k + (tile * 16 + i) * stride + step * 32 * Rows::kBytes, p.head_dim - step * 32);
        high[i] = x.high;
        low[i] = x.low;
      }
      char* at = to + (tile * l.dim_steps + step) * kTileBytes;
      transpose_store(high, at, 64);
      if constexpr (Rows::kPlanes == 2) transpose_store(low, at + l.k_plane, 64);
    }
}

// Words of x and y alternating: first those of elements 0 .. 15, then 16 .. 31.
inline void interleave_store(__m512i x, __m512i y, char* first, char* second) {
  const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
  x = _mm512_permutexvar_epi64(order, x);
  y = _mm512_permutexvar_epi64(order, y);
  _mm512_store_si512(first, _mm512_unpacklo_epi16(x, y));
  if (second != nullptr) _mm512_store_si512(second, _mm512_unpackhi_epi16(x, y));
}

// Tile row i of 32 tokens holds tokens 2i and 2i + 1, or, in the order that packs quantized weights cheaply, i and i + 16.
template <class Rows>
inline void pack_values(const Rows& rows, const TileLayout& l, const AttentionProblem& p, const uint8_t* v, int64_t stride, char* to) {
  const int64_t tile_stride = l.token_steps * kTileBytes, apart = p.quantize_p ? 16 : 1, pace = p.quantize_p ? 1 : 2;
  for (int64_t tile = 0; tile < l.token_steps; ++tile)
    for (int64_t i = 0; i < 16; ++i) {
      const int64_t token = tile * 32 + i * pace;
      for (int64_t step = 0; step < l.dim_steps; ++step) {
        Planes even = {_mm512_setzero_si512(), _mm512_setzero_si512()}, odd = even;
        const uint8_t* from = v + token * stride + step * 32 * Rows::kBytes;
        if (token < p.tokens) even = rows.load(from, p.head_dim - step * 32);
        if (token + apart < p.tokens) odd = rows.load(from + apart * stride, p.head_dim - step * 32);
        char* first = to + step * 2 * tile_stride + tile * kTileBytes + i * 64;
        char* second = p.head_dim - step * 32 > 16 ? first + tile_stride : nullptr;
        interleave_store(even.high, odd.high, first, second);
        if constexpr (Rows::kPlanes == 2)
          interleave_store(even.low, odd.low, first + l.v_plane, second == nullptr ? nullptr : second + l.v_plane);
      }
    }
}

}  // namespace
}  // namespace octet::cpu
