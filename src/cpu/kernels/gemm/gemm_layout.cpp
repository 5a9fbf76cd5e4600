// Packing orders and the static partition.
#include "cpu/kernels/gemm/gemm_layout.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"

namespace octet::cpu {
namespace {

int64_t blocks(int64_t count, int64_t block) { return (count + block - 1) / block; }

template <class T>
void pack_columns(const T* w, T* packed, int64_t n, int64_t k, int width) {
  for (int64_t panel = 0; panel * width < n; ++panel) {
    T* out = packed + panel * width * k;
    const int64_t columns = std::min<int64_t>(width, n - panel * width);
    if (columns < width) std::memset(out, 0, static_cast<size_t>(width * k) * sizeof(T));
    for (int64_t c = 0; c < columns; ++c) {
      const T* row = w + (panel * width + c) * k;
      for (int64_t i = 0; i < k; ++i) out[i * width + c] = row[i];
    }
  }
}

}  // namespace

size_t column_panel_bytes(const GemmProblem& p, int width) {
  return static_cast<size_t>(blocks(p.n, width)) * static_cast<size_t>(width) * static_cast<size_t>(p.k) * size_of(p.w);
}

void pack_column_panels(const GemmProblem& p, int width, const void* w, void* packed) {
  switch (size_of(p.w)) {
    case 1: return pack_columns(static_cast<const uint8_t*>(w), static_cast<uint8_t*>(packed), p.n, p.k, width);
    case 2: return pack_columns(static_cast<const uint16_t*>(w), static_cast<uint16_t*>(packed), p.n, p.k, width);
    default: return pack_columns(static_cast<const uint32_t*>(w), static_cast<uint32_t*>(packed), p.n, p.k, width);
  }
}

GemmShare gemm_share(int64_t m, int64_t n, int64_t row_block, int64_t col_block, int thread, int threads) {
  const int64_t row_blocks = blocks(m, row_block), col_blocks = blocks(n, col_block);
  int best_rows = 1;
  int64_t best_area = 0, best_unpack = 0;
  for (int rows = 1; rows <= threads; ++rows) {
    if (threads % rows != 0) continue;
    const int64_t r = blocks(row_blocks, rows), c = blocks(col_blocks, threads / rows);
    const int64_t area = r * c, unpack = r * row_block + c * col_block;
    if (rows > 1 && (area > best_area || (area == best_area && unpack >= best_unpack))) continue;
    best_rows = rows, best_area = area, best_unpack = unpack;
  }
  const int grid_columns = threads / best_rows;
  const Range rows = share(m, thread / grid_columns, best_rows, row_block);
  const Range columns = share(n, thread % grid_columns, grid_columns, col_block);
  return {rows.begin, rows.end, columns.begin, columns.end};
}

}  // namespace octet::cpu
