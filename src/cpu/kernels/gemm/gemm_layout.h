// How the rows order packed weights, and which part of the output a thread owns. Plain x86-64 code, run at load.
// Next: gemm_layout.cpp, then the kernels: gemm_portable.cpp, gemm_fma.h, gemm_amx.cpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cpu/kernels/gemm/gemm.h"

namespace octet::cpu {

// Column panels: [ceil(n / width)][k][width] elements of the weight's own dtype, zeros beyond n. Width 8, 16 or 32.
size_t column_panel_bytes(const GemmProblem& problem, int width);
void pack_column_panels(const GemmProblem& problem, int width, const void* w, void* packed);

// Tiles of AMX and of the bf16 dot product: per block of 32 columns, per step of 32 k, two tiles of 16 columns; a tile is 16 rows
// (pairs of k) of 16 columns of 2 k. Elements of the weight's own dtype (e4m3, bf16, f16), zeros beyond n and k. Each 64 e4m3 codes
// are permuted so that the cheap widening (E4m3ToBf16::interleaved) yields two rows of the tile.
inline constexpr int64_t kAmxStrip = 32, kAmxBlock = 32, kAmxStep = 32;
size_t tile_bytes(const GemmProblem& problem);
void pack_tiles(const GemmProblem& problem, const void* w, void* packed);

// Blocking of the vector kernels (gemm_vector.h), in 4-byte elements of k (an f32 or a pair of bf16): a slice of w for a panel of
// columns is 256 KiB and stays in L2 of every CPU since 2017, with the sums of a chunk of rows; a slice of 14 rows of a in L1.
inline constexpr int64_t kVectorSlice = 256, kVectorPanel = 256, kVectorRows = 240;
size_t vector_scratch_bytes(const GemmProblem& problem);

// Rectangle of the output that `thread` of `threads` computes: the threads form a grid of rows x columns, chosen so that the
// largest share is smallest and, among equals, what each thread must unpack (its rows of a, its columns of w) is smallest.
// Shares are whole blocks of row_block x col_block. Empty when there are more threads than blocks.
struct GemmShare {
  int64_t row_begin, row_end, col_begin, col_end;
};
GemmShare gemm_share(int64_t m, int64_t n, int64_t row_block, int64_t col_block, int thread, int threads);

// Per column of a share: what the epilogue multiplies and adds, folded so that it does as little as possible.
//   no activation: out = acc * scale + shift, or (acc * scale + shift + residual) * last
//   activation:    out = act(acc * scale + shift) * gain, or (act(acc * scale + shift) * gain + residual) * last
// Zeros up to the next multiple of 32 columns. Folding costs each term at most 2 more roundings, inside the bound of gemm.h.
struct GemmFactors {
  const float *scale, *shift, *gain, *last;
  int64_t first;  // column of element 0
};
size_t factor_bytes(const GemmProblem& problem);
// `unit` is what the target's e4m3 encoder wants 1.0 to be; other outputs are not scaled.
GemmFactors fold_factors(const GemmProblem& problem, const GemmArgs& args, int64_t col_begin, int64_t col_end, float unit, float* memory);

// How the tile kernels cut a thread's share to fit the caches. Each limit with its measurement: docs/kernels/gemm.md.
struct TileBlocking {
  int64_t steps;         // of 32 k, in all
  bool whole_k;          // one slice, and a panel of at least 256 columns holds all of k in L2 (1 MiB)
  int64_t slice_steps;   // else: per slice, so that a strip's slice (32 KiB, widened) stays in L1
  int64_t panel_blocks;  // of 32 columns, widened together
  int64_t chunk_rows;    // rows whose sums are kept between slices; a strip when there is one slice
  bool keep_strips;      // all rows, widened, fit beside half a panel: they are widened once and not once a panel
  int64_t sum_blocks;    // blocks of sums kept: two in turn, or a chunk's
  size_t strip_bytes, panel_bytes;
};
TileBlocking tile_blocking(const GemmProblem& problem, int64_t rows, int64_t columns);
// Enough for any share of up to max_m rows.
size_t tile_scratch_bytes(const GemmProblem& problem, int64_t max_m);

}  // namespace octet::cpu
