// A tile of a matrix product on the ordinary cores, for any types and sizes: 64 x 64 sums of a block of 256 threads, in f32, products
// exact, k in order. Operands come from functions, so that a GEMM and a convolution share it.
#pragma once
#include "common.cuh"

constexpr int kTile = 64, kDepth = 16;

// load_a(row, k), load_w(column, k): an f32, 0 outside of the matrix. finish(row, column, sum): asked for all of the tile.
template <class LoadA, class LoadW, class Finish>
OCTET_DEVICE void simt_tile(int64_t row, int64_t column, int64_t depth, LoadA&& load_a, LoadW&& load_w, Finish&& finish) {
  __shared__ alignas(16) float a[kDepth][kTile + 4], w[kDepth][kTile + 4];
  const int thread = int(threadIdx.x), across = thread % 16 * 4, down = thread / 16 * 4;
  const int k_of_load = thread % kDepth, first_of_load = thread / kDepth;
  float sums[4][4] = {};
  for (int64_t k = 0; k < depth; k += kDepth) {
    for (int i = first_of_load; i < kTile; i += 256 / kDepth) {
      a[k_of_load][i] = load_a(row + i, k + k_of_load);
      w[k_of_load][i] = load_w(column + i, k + k_of_load);
    }
    __syncthreads();
#pragma unroll
    for (int step = 0; step < kDepth; ++step) {
      const float4 x = *reinterpret_cast<const float4*>(&a[step][down]), y = *reinterpret_cast<const float4*>(&w[step][across]);
      const float rows[4] = {x.x, x.y, x.z, x.w}, columns[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
      for (int r = 0; r < 4; ++r)
#pragma unroll
        for (int c = 0; c < 4; ++c) sums[r][c] = fmaf(rows[r], columns[c], sums[r][c]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 4; ++r)
#pragma unroll
    for (int c = 0; c < 4; ++c) finish(row + down + r, column + across + c, sums[r][c]);
}
