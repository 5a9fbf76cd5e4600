// The products of unfused attention for what no tensor-core kernel takes: f32, e4m3, any head_dim. A thread an element.
// Defines: IN, OUT, TOKENS, HEADS, HEAD_DIM, CAUSAL; QUANTIZE_P, SCORE and STEPS are of no account here.
#include "common.cuh"

struct Params {
  const IN *a, *b;  // q and k; weights and v
  OUT* out;
  int64_t a_stride, b_stride, count;
  float scale;
};

constexpr int kPitch = (TOKENS + 7) / 8 * 8, kThreads = 256;

extern "C" __global__ void __launch_bounds__(kThreads) scores_simt(const __grid_constant__ Params p) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  wait_for_predecessor();
  let_successor_start();
  if (i >= p.count) return;
  const int key = int(i % kPitch);
  const int64_t row = i / kPitch, item = row / (HEADS * TOKENS);
  const int head = int(row / TOKENS % HEADS), query = int(row % TOKENS);
  float sum = 0;
  if (key < TOKENS && (!CAUSAL || key <= query)) {
    const IN* const q = p.a + (item * TOKENS + query) * p.a_stride + head * HEAD_DIM;
    const IN* const k = p.b + (item * TOKENS + key) * p.b_stride + head * HEAD_DIM;
    for (int d = 0; d < HEAD_DIM; ++d) sum = fmaf(to_f32(q[d]), to_f32(k[d]), sum);
  }
  p.out[i] = from_f32<OUT>(sum * p.scale);
}

extern "C" __global__ void __launch_bounds__(kThreads) values_simt(const __grid_constant__ Params p) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  wait_for_predecessor();
  let_successor_start();
  if (i >= p.count) return;
  const int d = int(i % HEAD_DIM), head = int(i / HEAD_DIM % HEADS);
  const int64_t token = i / (HEAD_DIM * HEADS), item = token / TOKENS;  // out is [item, token, head, d]
  const int query = int(token % TOKENS), keys = CAUSAL ? query + 1 : TOKENS;
  const IN* const weights = p.a + ((item * HEADS + head) * TOKENS + query) * kPitch;
  const IN* const v = p.b + item * TOKENS * p.b_stride + head * HEAD_DIM + d;
  float sum = 0;
  for (int key = 0; key < keys; ++key) sum = fmaf(to_f32(weights[key]), to_f32(v[key * p.b_stride]), sum);
  p.out[i] = from_f32<OUT>(sum * p.scale);
}
