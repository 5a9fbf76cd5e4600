// Attention for what no tensor-core kernel takes: f32, any head_dim, mixed types. A warp takes one query; each lane scores every
// 32nd key, first for the row's maximum and sum, then, 32 keys at a time, for p, which all lanes multiply by their columns of v.
#include "attention.cuh"

constexpr int kWarps = 4, kThreads = 32 * kWarps, kSlots = (HEAD_DIM + 31) / 32;
constexpr float kLowest = -3e38f;

OCTET_DEVICE float score(const float* q, const IN* k) {
  float s = 0;
  for (int d = 0; d < HEAD_DIM; ++d) s = fmaf(q[d], to_f32(k[d]), s);
  return s;
}
OCTET_DEVICE float rounded_probability(float p) { return QUANTIZE_P ? to_f32(from_f32<e4m3>(p)) : p; }

extern "C" __global__ void __launch_bounds__(kThreads) attention_simt(const __grid_constant__ AttentionParams p) {
  __shared__ float queries[kWarps][HEAD_DIM];
  constexpr int kBlocks = (TOKENS + kWarps - 1) / kWarps;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, head = blockIdx.x / kBlocks % HEADS;
  const int row = blockIdx.x % kBlocks * kWarps + warp, keys = CAUSAL ? row + 1 : TOKENS;
  const int64_t token = int64_t(blockIdx.x / (kBlocks * HEADS)) * TOKENS;
  const IN *const k_rows = p.k + token * p.k_stride + head * HEAD_DIM, *const v_rows = p.v + token * p.v_stride + head * HEAD_DIM;
  if (row >= TOKENS) return;

  wait_for_predecessor();
  let_successor_start();
  float* const q = queries[warp];
  for (int d = lane; d < HEAD_DIM; d += 32) q[d] = to_f32(p.q[(token + row) * p.q_stride + head * HEAD_DIM + d]);
  __syncwarp();

  float most = kLowest, sum = 0;
  for (int key = lane; key < keys; key += 32) {
    const float s = score(q, k_rows + key * p.k_stride), top = fmaxf(most, s);
    sum = sum * exp2_approx((most - top) * p.scale) + exp2_approx((s - top) * p.scale);
    most = top;
  }
  for (int lanes = 1; lanes < 32; lanes *= 2) {
    const float m = __shfl_xor_sync(~0u, most, lanes), other = __shfl_xor_sync(~0u, sum, lanes), top = fmaxf(most, m);
    sum = sum * exp2_approx((most - top) * p.scale) + other * exp2_approx((m - top) * p.scale);
    most = top;
  }

  const float factor = p.inv_p_scale / sum;
  float out[kSlots] = {};
  for (int first = 0; first < keys; first += 32) {
    float mine = 0;
    if (first + lane < keys)
      mine = rounded_probability(exp2_approx((score(q, k_rows + (first + lane) * p.k_stride) - most) * p.scale) * factor);
    for (int i = 0; i < 32 && first + i < keys; ++i) {
      const float probability = __shfl_sync(~0u, mine, i);
      const IN* const v = v_rows + (first + i) * p.v_stride;
#pragma unroll
      for (int slot = 0; slot < kSlots; ++slot)
        if (slot * 32 + lane < HEAD_DIM) out[slot] = fmaf(probability, to_f32(v[slot * 32 + lane]), out[slot]);
    }
  }
#pragma unroll
  for (int slot = 0; slot < kSlots; ++slot)
    if (slot * 32 + lane < HEAD_DIM)
      p.out[(token + row) * (HEADS * HEAD_DIM) + head * HEAD_DIM + slot * 32 + lane] = from_f32<OUT>(out[slot] * p.out_scale);
}
