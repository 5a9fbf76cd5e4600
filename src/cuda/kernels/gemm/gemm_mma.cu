// GEMM with the tensor cores' warp products (sm_80 and up): a block of 8 warps for 128 x 128 outputs, each warp 64 x 32 of them; a ring
// of stages of 64 bytes of depth is filled by asynchronous copies. Bytes beyond an edge are copied as zeros.
// Defines: IN (2 bytes or e4m3), OUT, COLS, DEPTH (whole 16 bytes), ACTIVATION, RESIDUAL (0, 1), WIDEN (1: e4m3 is multiplied as f16,
// which adds in full f32 and runs before sm_89).
#include "gemm_params.cuh"
#include "mma.cuh"

constexpr int kTile = 128, kStages = 3, kRowBytes = 64, kStageBytes = 2 * kTile * kRowBytes;
constexpr int kDepthBytes = DEPTH * int(sizeof(IN)), kSteps = (kDepthBytes + kRowBytes - 1) / kRowBytes;
constexpr int kColumnTiles = (COLS + kTile - 1) / kTile;
constexpr int kBlocksM = 4, kBlocksN = 4;  // of a warp: 16 x 8 outputs each
static_assert(kDepthBytes % 16 == 0, "rows are read 16 bytes at a time");

// Where 16-byte chunk `chunk` of a row lies in its half of a stage: eight rows of one chunk lie in different banks.
OCTET_DEVICE uint32_t place(uint32_t row, uint32_t chunk) { return row * kRowBytes + (chunk ^ (row >> 1 & 3)) * 16; }

// 128 rows x 64 bytes of a matrix of kDepthBytes a row.
OCTET_DEVICE void copy_rows(uint32_t to, const void* matrix, int64_t first_row, int64_t rows, int step) {
  const uint32_t chunk = threadIdx.x % 4;
  const int at = step * kRowBytes + int(chunk) * 16;
#pragma unroll
  for (uint32_t row = threadIdx.x / 4; row < kTile; row += 64) {
    const bool inside = first_row + row < rows && at < kDepthBytes;
    const uint8_t* from = static_cast<const uint8_t*>(matrix) + (inside ? (first_row + row) * kDepthBytes + at : 0);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to + place(row, chunk)), "l"(from), "r"(inside ? 16 : 0) : "memory");
  }
}

OCTET_DEVICE void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (!is_same<IN, e4m3>) {
    mma_16816<is_same<IN, bf16>>(c, a, b0, b1);
  } else if constexpr (WIDEN) {
    // Both operands' bytes 4t .. 4t + 3 go to places 2t, 2t + 1, 2t + 8, 2t + 9 of one product of 16: the order of k is free.
    const auto wide = [](uint32_t codes, int half) { return e4m3x2_to_f16x2(uint16_t(codes >> (16 * half))); };
    const uint32_t low[4] = {wide(a[0], 0), wide(a[1], 0), wide(a[0], 1), wide(a[1], 1)};
    const uint32_t high[4] = {wide(a[2], 0), wide(a[3], 0), wide(a[2], 1), wide(a[3], 1)};
    mma_16816<false>(c, low, wide(b0, 0), wide(b0, 1));
    mma_16816<false>(c, high, wide(b1, 0), wide(b1, 1));
  } else {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

// One stage: two products of 32 bytes of depth for each of the warp's 16 blocks of outputs.
OCTET_DEVICE void multiply_stage(float (&sums)[kBlocksM][kBlocksN][4], uint32_t stage, uint32_t warp_row, uint32_t warp_column) {
  const uint32_t lane = threadIdx.x % 32;
  const uint32_t row_a = warp_row + lane % 16, chunk_a = lane / 16, row_w = warp_column + lane % 8 + lane / 16 * 8, chunk_w = lane / 8 % 2;
#pragma unroll
  for (uint32_t half = 0; half < 2; ++half) {
    uint32_t a[kBlocksM][4], w[kBlocksN / 2][4];
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) load_matrices(a[i], stage + place(row_a + 16 * i, half * 2 + chunk_a));
#pragma unroll
    for (int j = 0; j < kBlocksN / 2; ++j) load_matrices(w[j], stage + kTile * kRowBytes + place(row_w + 16 * j, half * 2 + chunk_w));
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i)
#pragma unroll
      for (int j = 0; j < kBlocksN; ++j) multiply(sums[i][j], a[i], w[j / 2][j % 2 * 2], w[j / 2][j % 2 * 2 + 1]);
  }
}

// Two neighbouring outputs of a type.
struct alignas(2 * sizeof(OUT)) Pair {
  OUT lo, hi;
};

// Outputs (row, column) and (row, column + 1).
OCTET_DEVICE void finish(const Params& p, int64_t row, int column, float lo, float hi) {
  if (row >= p.m || column >= COLS) return;
  const int64_t at = row * COLS + column;
  const auto value = [&](float sum, int c) {
    return epilogue<ACTIVATION>(sum, p.alpha[c], p.bias[c], ACTIVATION == kNone ? 1.0f : p.post[c]);
  };
  float y = value(lo, column);
  if constexpr (COLS % 2 == 0) {
    float z = value(hi, column + 1);
    if constexpr (RESIDUAL) {
      const Pair residual = *reinterpret_cast<const Pair*>(p.residual + at);
      y += to_f32(residual.lo), z += to_f32(residual.hi);
    }
    *reinterpret_cast<Pair*>(p.out + at) = Pair{from_f32<OUT>(y), from_f32<OUT>(z)};
  } else {
    if constexpr (RESIDUAL) y += to_f32(p.residual[at]);
    p.out[at] = from_f32<OUT>(y);
    if (column + 1 >= COLS) return;
    float z = value(hi, column + 1);
    if constexpr (RESIDUAL) z += to_f32(p.residual[at + 1]);
    p.out[at + 1] = from_f32<OUT>(z);
  }
}

extern "C" __global__ void __launch_bounds__(256, 2) gemm_mma(const __grid_constant__ Params p) {
  extern __shared__ uint4 shared[];
  const uint32_t stages = shared_address(shared), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t row = int64_t(blockIdx.x / kColumnTiles) * kTile;
  const int column = int(blockIdx.x % kColumnTiles) * kTile;
  const auto fill = [&](int step) {
    if (step < kSteps) {
      const uint32_t to = stages + step % kStages * kStageBytes;
      copy_rows(to, p.a, row, p.m, step);
      copy_rows(to + kTile * kRowBytes, p.w, column, COLS, step);
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  wait_for_predecessor();
  let_successor_start();
  for (int step = 0; step < kStages - 1; ++step) fill(step);

  const uint32_t warp_row = warp / 4 * 64, warp_column = warp % 4 * 32;
  float sums[kBlocksM][kBlocksN][4] = {};
  for (int step = 0; step < kSteps; ++step) {
    asm volatile("cp.async.wait_group %0;" ::"n"(kStages - 2) : "memory");
    __syncthreads();  // the stage is there for all, and the one before it read by all
    fill(step + kStages - 1);
    multiply_stage(sums, stages + step % kStages * kStageBytes, warp_row, warp_column);
  }
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i)
#pragma unroll
    for (int j = 0; j < kBlocksN; ++j) {
      const int64_t to_row = row + warp_row + 16 * i + lane / 4;
      const int to_column = column + int(warp_column) + 8 * j + int(lane % 4) * 2;
      finish(p, to_row, to_column, sums[i][j][0], sums[i][j][1]);
      finish(p, to_row + 8, to_column, sums[i][j][2], sums[i][j][3]);
    }
}
