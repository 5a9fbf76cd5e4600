// Attention by mma.sync for any number of tokens, head_dim a multiple of 8 from 16 to 128. A block takes 64 queries of one head, a
// warp 16. The keys are walked twice: first for each row's maximum and sum, then for p, which must be divided by its sum before it is
// rounded to e4m3, and for p * v. Next: attention_wgmma.cu, which keeps whole rows of scores.
#include "attention.cuh"
#include "mma.cuh"

constexpr int kWarps = 4, kThreads = 32 * kWarps, kRows = 16 * kWarps, kKeys = 64;
constexpr int kDim = (HEAD_DIM + 15) / 16 * 16, kPitch = kDim * 2 + 16;  // bytes of a shared row; an odd number of 16: no bank conflicts
constexpr float kLowest = -3e38f;  // finite, so that a lane that has seen masked scores only subtracts no infinities

// Rows [first, first + 64) of one head, zeros past the last token.
OCTET_DEVICE void load_tile(uint8_t* to, const IN* from, int64_t stride, int first, bool aligned) {
  for (int i = threadIdx.x; i < kRows * kDim / 8; i += kThreads) {
    const int row = i / (kDim / 8), col = i % (kDim / 8) * 8;
    uint4 x = make_uint4(0, 0, 0, 0);
    if (first + row < TOKENS && col < HEAD_DIM) x = load_halves(from + (first + row) * stride + col, aligned);
    *reinterpret_cast<uint4*>(to + row * kPitch + col * 2) = x;
  }
}

struct Scores {
  float of[kKeys / 8][4];
};
// Scores of this warp's rows with the tile of keys from `first` on; -inf where masked.
OCTET_DEVICE void score(Scores& s, const uint32_t (&q)[kDim / 16][4], uint32_t keys, int first, int row, int lane) {
  for (int j = 0; j < kKeys / 8; ++j)
    for (int e = 0; e < 4; ++e) s.of[j][e] = 0;
  const uint32_t mine = keys + ((lane >> 4) * 8 + (lane & 7)) * kPitch + ((lane >> 3) & 1) * 16;
#pragma unroll
  for (int j = 0; j < kKeys / 8; j += 2) {
#pragma unroll
    for (int k = 0; k < kDim / 16; ++k) {
      uint32_t b[4];
      load_matrices(b, mine + j * 8 * kPitch + k * 32);
      mma_16816<kBf16>(s.of[j], q[k], b[0], b[1]);
      mma_16816<kBf16>(s.of[j + 1], q[k], b[2], b[3]);
    }
  }
  if (first + kKeys <= TOKENS && (!CAUSAL || first + kKeys <= row - (lane >> 2) + 1)) return;
#pragma unroll
  for (int j = 0; j < kKeys / 8; ++j)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int key = first + j * 8 + (lane & 3) * 2 + (e & 1);
      if (key >= TOKENS || (CAUSAL && key > row + (e >> 1) * 8)) s.of[j][e] = minus_infinity();
    }
}

// Maximum and sum of exponentials of the rows that this lane's quad shares; [0]: row g, [1]: row g + 8.
struct RowSums {
  float most[2] = {kLowest, kLowest}, sum[2] = {0, 0};

  OCTET_DEVICE void add(const Scores& s, float scale) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float m = most[r];
#pragma unroll
      for (int j = 0; j < kKeys / 8; ++j) m = fmaxf(m, fmaxf(s.of[j][2 * r], s.of[j][2 * r + 1]));
      sum[r] *= exp2_approx((most[r] - m) * scale);
#pragma unroll
      for (int j = 0; j < kKeys / 8; ++j)
        sum[r] += exp2_approx((s.of[j][2 * r] - m) * scale) + exp2_approx((s.of[j][2 * r + 1] - m) * scale);
      most[r] = m;
    }
  }
  OCTET_DEVICE void join_quad(float scale) {
#pragma unroll
    for (int r = 0; r < 2; ++r)
#pragma unroll
      for (int lanes = 1; lanes < 4; lanes *= 2) {
        const float m = __shfl_xor_sync(~0u, most[r], lanes), other = __shfl_xor_sync(~0u, sum[r], lanes), top = fmaxf(most[r], m);
        sum[r] = sum[r] * exp2_approx((most[r] - top) * scale) + other * exp2_approx((m - top) * scale);
        most[r] = top;
      }
  }
};

// out += p * v for one tile; `factor` of each row is applied to p before it is rounded.
OCTET_DEVICE void multiply_values(float (&out)[kDim / 8][4], const Scores& s, const RowSums& rows, const float (&factor)[2], float scale,
                                  uint32_t values, int lane) {
  const uint32_t mine = values + (lane & 15) * kPitch + (lane >> 4) * 16;
#pragma unroll
  for (int k = 0; k < kKeys / 16; ++k) {
    uint32_t p[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = i & 1, j = 2 * k + (i >> 1);
      p[i] = pack_probabilities(exp2_approx((s.of[j][2 * r] - rows.most[r]) * scale) * factor[r],
                                exp2_approx((s.of[j][2 * r + 1] - rows.most[r]) * scale) * factor[r]);
    }
#pragma unroll
    for (int d = 0; d < kDim / 8; d += 2) {
      uint32_t b[4];
      load_matrices_transposed(b, mine + k * 16 * kPitch + d * 16);
      mma_16816<kBf16>(out[d], p, b[0], b[1]);
      mma_16816<kBf16>(out[d + 1], p, b[2], b[3]);
    }
  }
}

OCTET_DEVICE void store_rows(OUT* to, const float (&out)[kDim / 8][4], const float (&last)[2], int row, int lane) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    if (row + 8 * r >= TOKENS) continue;
#pragma unroll
    for (int d = 0; d < HEAD_DIM / 8; ++d)
      store_pair(to + int64_t(row + 8 * r) * (HEADS * HEAD_DIM) + d * 8 + (lane & 3) * 2, out[d][2 * r] * last[r],
                 out[d][2 * r + 1] * last[r]);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads) attention_mma(const __grid_constant__ AttentionParams p) {
  __shared__ alignas(16) uint8_t keys[kKeys * kPitch], values[kKeys * kPitch];
  constexpr int kBlocks = (TOKENS + kRows - 1) / kRows;
  const int block = blockIdx.x % kBlocks, head = blockIdx.x / kBlocks % HEADS, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int64_t token = int64_t(blockIdx.x / (kBlocks * HEADS)) * TOKENS;
  const IN *const q_rows = p.q + token * p.q_stride + head * HEAD_DIM, *const k_rows = p.k + token * p.k_stride + head * HEAD_DIM,
                  *const v_rows = p.v + token * p.v_stride + head * HEAD_DIM;
  const int row = block * kRows + warp * 16 + (lane >> 2), end = CAUSAL && (block + 1) * kRows < TOKENS ? (block + 1) * kRows : TOKENS;

  wait_for_predecessor();
  load_tile(values, q_rows, p.q_stride, block * kRows, p.aligned);
  __syncthreads();
  uint32_t q[kDim / 16][4];
#pragma unroll
  for (int k = 0; k < kDim / 16; ++k)
    load_matrices(q[k], shared_address(values) + (warp * 16 + (lane & 15)) * kPitch + (lane >> 4) * 16 + k * 32);

  Scores s;
  RowSums rows;
  for (int first = 0; first < end; first += kKeys) {
    __syncthreads();
    load_tile(keys, k_rows, p.k_stride, first, p.aligned);
    __syncthreads();
    score(s, q, shared_address(keys), first, row, lane);
    rows.add(s, p.scale);
  }
  rows.join_quad(p.scale);
  let_successor_start();

  float factor[2], last[2], out[kDim / 8][4] = {};
  for (int r = 0; r < 2; ++r) {
    factor[r] = QUANTIZE_P ? p.inv_p_scale / rows.sum[r] : 1.0f;
    last[r] = QUANTIZE_P ? p.out_scale : p.out_scale / rows.sum[r];
  }
  for (int first = 0; first < end; first += kKeys) {
    __syncthreads();
    load_tile(keys, k_rows, p.k_stride, first, p.aligned);
    load_tile(values, v_rows, p.v_stride, first, p.aligned);
    __syncthreads();
    score(s, q, shared_address(keys), first, row, lane);
    multiply_values(out, s, rows, factor, p.scale, shared_address(values), lane);
  }
  store_rows(p.out + token * (HEADS * HEAD_DIM) + head * HEAD_DIM, out, last, row, lane);
}
