// The two products of attention on AMX tiles, over matrices of bf16 planes. Internal to attention_amx.cpp and attention_steps_amx.cpp.
#pragma once
#include "cpu/kernels/attention/attention_tiles.h"
#include "cpu/simd/tile_config_amx.h"

namespace octet::cpu {
namespace {

// The tile load intrinsics do not tell the compiler that they read memory.
inline void finish_stores() { __asm__ volatile("" ::: "memory"); }

// A matrix as tiles: tile (i, step) of a plane at base + plane * plane_bytes + i * tile_bytes + step * step_bytes.
struct TileMatrix {
  const char* base;
  int64_t plane_bytes, tile_bytes, step_bytes, row_bytes;
  const char* at(int plane, int64_t tile, int64_t step) const { return base + plane * plane_bytes + tile * tile_bytes + step * step_bytes; }
};

// Few steps, many columns (Q K^T): 32 rows x 16 columns at a time, its two sums in tiles kSum and kSum + 1, so that one pair is stored
// while the other is summed. Tiles 4, 5: rows; 6, 7: columns. Tile numbers must be literals.
#define OCTET_TILE_COLUMN(name, sum, next)                                                                             \
  template <int kPlanes>                                                                                               \
  inline void name(const TileMatrix& a, const TileMatrix& b, int64_t column, int64_t steps, float* c, int64_t bytes) { \
    _tile_zero(sum);                                                                                                   \
    _tile_zero(next);                                                                                                  \
    for (int64_t step = 0; step < steps; ++step) {                                                                     \
      _tile_loadd(4, a.at(0, 0, step), 64);                                                                            \
      _tile_loadd(5, a.at(0, 1, step), 64);                                                                            \
      _tile_loadd(6, b.at(0, column, step), 64);                                                                       \
      _tile_dpbf16ps(sum, 4, 6);                                                                                       \
      _tile_dpbf16ps(next, 5, 6);                                                                                      \
      if constexpr (kPlanes == 2) {                                                                                    \
        _tile_loadd(7, b.at(1, column, step), 64);                                                                     \
        _tile_dpbf16ps(sum, 4, 7);                                                                                     \
        _tile_dpbf16ps(next, 5, 7);                                                                                    \
        _tile_loadd(4, a.at(1, 0, step), 64);                                                                          \
        _tile_loadd(5, a.at(1, 1, step), 64);                                                                          \
        _tile_dpbf16ps(sum, 4, 7);                                                                                     \
        _tile_dpbf16ps(next, 5, 7);                                                                                    \
        _tile_dpbf16ps(sum, 4, 6);                                                                                     \
        _tile_dpbf16ps(next, 5, 6);                                                                                    \
      }                                                                                                                \
    }                                                                                                                  \
    _tile_stored(sum, c + column * 16, bytes);                                                                         \
    _tile_stored(next, c + column * 16 + 4 * bytes, bytes);                                                            \
  }
OCTET_TILE_COLUMN(multiply_even_column, 0, 1)
OCTET_TILE_COLUMN(multiply_odd_column, 2, 3)
#undef OCTET_TILE_COLUMN

// Many steps, few columns (P V): 32 rows x 16 kCols columns at a time. kAll: the product of two low planes too.
template <int kLeftPlanes, int kRightPlanes, int kCols, bool kAll = false>
inline void multiply_columns(const TileMatrix& a, const TileMatrix& b, int64_t column, int64_t steps, float* c, int64_t bytes) {
  const auto load_left = [&](int plane, int64_t step) {
    _tile_loadd(4, a.at(plane, 0, step), a.row_bytes);
    _tile_loadd(5, a.at(plane, 1, step), a.row_bytes);
  };
  const auto load_right = [&](int plane, int64_t step) {
    _tile_loadd(6, b.at(plane, column, step), 64);
    if constexpr (kCols == 2) _tile_loadd(7, b.at(plane, column + 1, step), 64);
  };
  const auto multiply = [] {
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kCols == 2) _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (kCols == 2) _tile_dpbf16ps(3, 5, 7);
  };
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t step = 0; step < steps; ++step) {
    load_left(0, step);
    if constexpr (kRightPlanes == 2) {
      load_right(1, step);
      multiply();
    }
    load_right(0, step);
    multiply();
    if constexpr (kLeftPlanes == 2) {
      load_left(1, step);
      multiply();
    }
    if constexpr (kAll && kLeftPlanes == 2 && kRightPlanes == 2) {
      load_right(1, step);
      multiply();
    }
  }
  _tile_stored(0, c + column * 16, bytes);
  if constexpr (kCols == 2) _tile_stored(1, c + column * 16 + 16, bytes);
  _tile_stored(2, c + column * 16 + 4 * bytes, bytes);
  if constexpr (kCols == 2) _tile_stored(3, c + column * 16 + 16 + 4 * bytes, bytes);
}

}  // namespace
}  // namespace octet::cpu
