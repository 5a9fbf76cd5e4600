// LayerNorm with a warp for ROWS rows at a time, which stay in registers between the passes: memory is read and written once.
// Defines: IN, OUT, COLS (a multiple of 8), ROWS. Blocks of kWarps warps, one for each kWarps * ROWS rows.
#include "norm.cuh"

constexpr int kVectors = COLS / kVector, kTurns = (kVectors + 31) / 32;  // a lane takes vectors lane, lane + 32, ...
constexpr int kWarps = 4;

extern "C" __global__ void __launch_bounds__(32 * kWarps) norm_warp(const __grid_constant__ Params p) {
  const uint32_t lane = threadIdx.x % 32;
  const int64_t first = (int64_t(p.block()) * kWarps + threadIdx.x / 32) * ROWS;
  wait_for_predecessor();
  let_successor_start();
  if (first >= p.rows) return;

  const auto mine = [&](int turn) { return kVectors % 32 == 0 || turn + 1 < kTurns || turn * 32 + lane < kVectors; };
  const auto column = [&](int turn) { return (turn * 32 + int(lane)) * kVector; };
  Packed<IN> packed[ROWS][kTurns];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    const IN* x = p.x + min(first + r, p.rows - 1) * COLS;
#pragma unroll
    for (int t = 0; t < kTurns; ++t)
      if (mine(t)) packed[r][t] = Packed<IN>::load(x + column(t));
  }

  float mean[ROWS], rest[ROWS], squares[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    float sum = 0;
#pragma unroll
    for (int t = 0; t < kTurns; ++t) {
      if (!mine(t)) continue;
      float v[kVector];
      packed[r][t].decode(v);
      sum += sum_of_vector(v);
    }
    mean[r] = sum;
  }
#pragma unroll
  for (int r = 0; r < ROWS; ++r) mean[r] = __fmul_rn(sum_of_warp(mean[r]), 1.0f / float(COLS));
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    rest[r] = squares[r] = 0;
#pragma unroll
    for (int t = 0; t < kTurns; ++t) {
      if (!mine(t)) continue;
      float v[kVector], square = 0;
      packed[r][t].decode(v);
#pragma unroll
      for (int i = 0; i < kVector; ++i) v[i] -= mean[r], square = fmaf(v[i], v[i], square);
      rest[r] += sum_of_vector(v);
      squares[r] += square;
    }
  }
#pragma unroll
  for (int r = 0; r < ROWS; ++r) rest[r] = sum_of_warp(rest[r]), squares[r] = sum_of_warp(squares[r]);

#pragma unroll
  for (int t = 0; t < kTurns; ++t) {
    if (!mine(t)) continue;
    float gamma[kVector], beta[kVector];
    load_shared(p.gamma + column(t), gamma);
    load_shared(p.beta + column(t), beta);
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const Statistics s(mean[r], rest[r], squares[r], p.epsilon);
      float v[kVector];
      packed[r][t].decode(v);
#pragma unroll
      for (int i = 0; i < kVector; ++i) v[i] = s.apply(v[i], gamma[i], beta[i], p.inv_out_scale);
      if (r == 0 || first + r < p.rows) Packed<OUT>::encode(v).store(p.y + (first + r) * COLS + column(t));
    }
  }
}
