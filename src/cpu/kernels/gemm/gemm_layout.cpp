// Packing orders and the static partition.
#include "cpu/kernels/gemm/gemm_layout.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/thread_pool.h"
#include "numeric/convert.h"

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

// Where the tile keeps column c (0 .. 15), k (0 .. 31).
template <class T>
int tile_position(int c, int k) {
  const int row = k / 2, in_row = c * 2 + k % 2;
  if (sizeof(T) != 1) return row * 32 + in_row;
  return row / 2 * 64 + in_row / 8 * 16 + row % 2 * 8 + in_row % 8;
}

// kPaired: for a tiled a, whose values i and i + 16 of a step are neighbours.
template <class T, bool kPaired>
void pack_tile(const T* w, T* tile, int64_t columns, int64_t depth, int64_t k) {
  static const auto position = [] {
    std::array<std::array<uint16_t, kAmxStep>, 16> table{};
    for (int c = 0; c < 16; ++c)
      for (int i = 0; i < kAmxStep; ++i) table[c][i] = static_cast<uint16_t>(tile_position<T>(c, kPaired ? i % 16 * 2 + i / 16 : i));
    return table;
  }();
  if (columns < 16 || depth < kAmxStep) std::fill(tile, tile + 16 * kAmxStep, T{});
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t i = 0; i < depth; ++i) tile[position[c][i]] = w[c * k + i];
}

template <class T, bool kPaired>
void pack_all_tiles(const T* w, T* packed, int64_t n, int64_t k) {
  const int64_t steps = std::max<int64_t>(1, blocks(k, kAmxStep));
  for (int64_t block = 0; block < blocks(n, kAmxBlock); ++block)
    for (int64_t step = 0; step < steps; ++step)
      for (int64_t half = 0; half < 2; ++half, packed += 16 * kAmxStep) {
        const int64_t column = block * kAmxBlock + half * 16, first = step * kAmxStep;
        const int64_t columns = std::clamp<int64_t>(n - column, 0, 16), depth = std::min<int64_t>(k - first, kAmxStep);
        pack_tile<T, kPaired>(columns > 0 ? w + column * k + first : w, packed, columns, depth, k);
      }
}

constexpr int64_t kPanelBytes = 1 << 20, kMinPanel = 8, kSliceBytes = 32 << 10, kChunkPanel = 16, kChunkRows = 512, kKeptBytes = 576 << 10;
constexpr int64_t kTiledSliceBytes = 64 << 10, kTiledPanel = 8, kTiledFewRows = 288, kTiledRows = 1088;  // nothing is widened beside them
int64_t step_bytes(const GemmProblem& p) { return 2 * kAmxBlock * kAmxStep * (p.w == DType::f16 ? 2 : 1); }

// The blocking before shares are evened out: what no share exceeds.
TileBlocking largest_blocking(const GemmProblem& p, int64_t rows, int64_t columns) {
  TileBlocking b{};
  b.steps = std::max<int64_t>(1, blocks(p.k, kAmxStep));
  const int64_t panel = kPanelBytes / (b.steps * step_bytes(p));
  const int64_t slices = blocks(b.steps, (p.tiled_a ? kTiledSliceBytes : kSliceBytes) / step_bytes(p));
  const int64_t chunk_panel = p.tiled_a && rows > kTiledFewRows ? kTiledPanel : kChunkPanel,
                chunk_rows = p.tiled_a ? kTiledRows : kChunkRows;
  b.whole_k = panel >= kMinPanel;
  b.slice_steps = b.whole_k ? b.steps : blocks(blocks(b.steps, slices), 2) * 2;  // even: codes are widened 64 at a time
  b.panel_blocks = std::max<int64_t>(1, std::min(b.whole_k ? panel : chunk_panel, blocks(columns, kAmxBlock)));
  b.chunk_rows = b.whole_k ? kAmxStrip : std::max(kAmxStrip, std::min(chunk_rows, blocks(rows, kAmxStrip) * kAmxStrip));
  return b;
}
void set_sizes(const GemmProblem& p, TileBlocking& b, int64_t strips) {
  b.sum_blocks = b.whole_k ? 2 : b.panel_blocks * (b.chunk_rows / kAmxStrip);
  b.strip_bytes = p.tiled_a ? 0 : static_cast<size_t>((b.keep_strips ? strips * b.steps : b.slice_steps) * step_bytes(p));
  b.panel_bytes = p.w == DType::bf16 ? 0 : static_cast<size_t>(b.panel_blocks * b.slice_steps * step_bytes(p));
}

}  // namespace

size_t tile_bytes(const GemmProblem& p) {
  return static_cast<size_t>(blocks(p.n, kAmxBlock) * kAmxBlock) *
         static_cast<size_t>(std::max<int64_t>(1, blocks(p.k, kAmxStep)) * kAmxStep) * size_of(p.w);
}

void pack_tiles(const GemmProblem& p, const void* w, void* packed) {
  const auto pack = [&]<class T>(const T* from) {
    const auto all = p.tiled_a ? pack_all_tiles<T, true> : pack_all_tiles<T, false>;
    all(from, static_cast<T*>(packed), p.n, p.k);
  };
  if (size_of(p.w) == 1) return pack(static_cast<const uint8_t*>(w));
  pack(static_cast<const uint16_t*>(w));
}

size_t tiled_bytes(int64_t rows, int64_t columns) {
  return static_cast<size_t>(blocks(rows, kAmxStrip) * kAmxStrip * blocks(columns, kAmxStep) * kAmxStep) * sizeof(uint16_t);
}
namespace {
// visit(row, column, index of its bf16 in the tiled form)
template <class Visit>
void for_each_tiled(int64_t rows, int64_t columns, Visit&& visit) {
  const int64_t steps = blocks(columns, kAmxStep);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t line = (row / kAmxStrip * steps + c / kAmxStep) * kAmxStrip + row % kAmxStrip, in_step = c % kAmxStep;
      visit(row * columns + c, line * kAmxStep + in_step % 16 * 2 + in_step / 16);
    }
}
}  // namespace
void tile_rows(DType type, const void* plain, int64_t rows, int64_t columns, void* tiled) {
  auto* to = static_cast<uint16_t*>(tiled);
  std::memset(tiled, 0, tiled_bytes(rows, columns));
  for_each_tiled(rows, columns, [&](int64_t from, int64_t at) {
    to[at] = type == DType::bf16 ? static_cast<const uint16_t*>(plain)[from]
                                 : encode_bf16(decode_e4m3(static_cast<const uint8_t*>(plain)[from]));
  });
}
void untile_rows(DType type, const void* tiled, int64_t rows, int64_t columns, void* plain) {
  const auto* from = static_cast<const uint16_t*>(tiled);
  for_each_tiled(rows, columns, [&](int64_t to, int64_t at) {
    if (type == DType::bf16) static_cast<uint16_t*>(plain)[to] = from[at];
    else static_cast<uint8_t*>(plain)[to] = encode_e4m3(decode_bf16(from[at]));
  });
}

TileBlocking tile_blocking(const GemmProblem& p, int64_t rows, int64_t columns) {
  TileBlocking b = largest_blocking(p, rows, columns);
  const int64_t column_blocks = blocks(columns, kAmxBlock), strips = blocks(rows, kAmxStrip);
  b.keep_strips = !p.tiled_a && b.whole_k && column_blocks > b.panel_blocks && strips * b.steps * step_bytes(p) <= kKeptBytes;
  const int64_t most = b.keep_strips ? blocks(b.panel_blocks, 2) : b.panel_blocks;
  b.panel_blocks = blocks(column_blocks, blocks(column_blocks, most));
  if (!b.whole_k) b.chunk_rows = blocks(strips, blocks(rows, b.chunk_rows)) * kAmxStrip;
  set_sizes(p, b, strips);
  return b;
}

size_t tile_scratch_bytes(const GemmProblem& p, int64_t max_m) {
  constexpr size_t kSumBlock = kAmxStrip * kAmxBlock * sizeof(float) + 64, kTile = 1024;
  size_t most = 0;
  for (const int64_t rows : {max_m, std::min(max_m, kTiledFewRows)}) {
    TileBlocking b = largest_blocking(p, rows, p.n);
    set_sizes(p, b, 1);
    const size_t strips = b.whole_k && !p.tiled_a ? std::max<size_t>(b.strip_bytes, kKeptBytes) : b.strip_bytes;
    most = std::max(most, strips + b.panel_bytes + static_cast<size_t>(b.sum_blocks) * kSumBlock);
  }
  return most + factor_bytes(p) + kTile;
}

size_t vector_scratch_bytes(const GemmProblem& p) {
  constexpr int64_t kMostRows = 14;  // of a block
  return factor_bytes(p) +
         (kVectorPanel * kVectorSlice + kMostRows * kVectorSlice + (kVectorRows + kMostRows) * kVectorPanel) * sizeof(float);
}

size_t factor_bytes(const GemmProblem& p) { return static_cast<size_t>(blocks(p.n, kAmxBlock) * kAmxBlock) * 4 * sizeof(float); }

GemmFactors fold_factors(const GemmProblem& p, const GemmArgs& args, int64_t col_begin, int64_t col_end, float unit, float* memory) {
  const int64_t count = col_end - col_begin, width = blocks(count, kAmxBlock) * kAmxBlock;
  float *scale = memory, *shift = scale + width, *gain = shift + width, *last = gain + width;
  const float *alpha = args.alpha + col_begin, *bias = args.bias + col_begin, *mul = args.mul + col_begin,
              *inv = args.inv_out_scale + col_begin;
  const bool linear = p.act == Act::kNone, residual = args.residual != nullptr;
  const float one = p.out == DType::e4m3 ? unit : 1.0f;
  for (int64_t i = 0; i < count; ++i) {
    last[i] = inv[i] * one;
    gain[i] = residual ? mul[i] : mul[i] * last[i];
    scale[i] = linear ? alpha[i] * gain[i] : alpha[i];
    shift[i] = linear ? bias[i] * gain[i] : bias[i];
  }
  for (float* factors : {scale, shift, gain, last}) std::fill(factors + count, factors + width, 0.f);
  return {scale, shift, gain, last, col_begin};
}

size_t column_panel_bytes(const GemmProblem& p, int width) {
  return static_cast<size_t>(blocks(p.n, width)) * static_cast<size_t>(width) * static_cast<size_t>(p.k) * size_of(p.w);
}

void pack_column_panels(const GemmProblem& p, int width, const void* w, void* packed) {
  switch (size_of(p.w)) {
    case 1:
      return pack_columns(static_cast<const uint8_t*>(w), static_cast<uint8_t*>(packed), p.n, p.k, width);
    case 2:
      return pack_columns(static_cast<const uint16_t*>(w), static_cast<uint16_t*>(packed), p.n, p.k, width);
    default:
      return pack_columns(static_cast<const uint32_t*>(w), static_cast<uint32_t*>(packed), p.n, p.k, width);
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
