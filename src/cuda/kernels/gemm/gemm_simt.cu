// GEMM of any types and sizes on the ordinary cores: a block for 64 x 64 outputs.
// Defines: IN, OUT, COLS, DEPTH, ACTIVATION, RESIDUAL (0, 1).
#include "gemm_params.cuh"
#include "simt_tile.cuh"

constexpr int64_t kColumnTiles = (COLS + kTile - 1) / kTile;

extern "C" __global__ void __launch_bounds__(256) gemm_simt(const __grid_constant__ Params p) {
  wait_for_predecessor();
  let_successor_start();
  simt_tile(
      blockIdx.x / kColumnTiles * kTile, blockIdx.x % kColumnTiles * kTile, DEPTH,
      [&](int64_t row, int64_t k) { return row < p.m && k < DEPTH ? to_f32(p.a[row * DEPTH + k]) : 0.0f; },
      [&](int64_t column, int64_t k) { return column < COLS && k < DEPTH ? to_f32(p.w[column * DEPTH + k]) : 0.0f; },
      [&](int64_t row, int64_t column, float sum) {
        if (row >= p.m || column >= COLS) return;
        const int64_t at = row * COLS + column;
        float y = epilogue<ACTIVATION>(sum, p.alpha[column], p.bias[column], ACTIVATION == kNone ? 1.0f : p.post[column]);
        if constexpr (RESIDUAL) y += to_f32(p.residual[at]);
        p.out[at] = from_f32<OUT>(y);
      });
}
