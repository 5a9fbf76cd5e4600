// What follows the GEMM of a patch embedding: bias, position and the class token's row. A warp takes one token of kItems items, which
// share what they read of bias and position. Defines: OUT, TOKENS, COLS, CLASS (0, 1).
#include "vectors.cuh"

struct Params {
  const float* sums;
  OUT* y;
  const float *bias, *class_token, *position;
  int64_t batch;
};

constexpr int kWarps = 4, kItems = 4, kPatches = TOKENS - CLASS;

// What is added to the sums at column c: once for all items.
OCTET_DEVICE float added(const Params& p, int token, int c) {
  return (CLASS && token == 0 ? p.class_token[c] : p.bias[c]) + p.position[int64_t(token) * COLS + c];
}

OCTET_DEVICE void finish_vectors(const Params& p, int token, int64_t first) {
  for (int c = int(threadIdx.x % 32) * kVector; c < COLS; c += 32 * kVector) {
    Packed<float> packed[kItems];
    const bool patch = !CLASS || token > 0;
#pragma unroll
    for (int i = 0; i < kItems; ++i)
      if (patch && first + i < p.batch) packed[i] = Packed<float>::load(p.sums + ((first + i) * kPatches + token - CLASS) * COLS + c);
    float base[kVector], position[kVector];
    load_shared((patch ? p.bias : p.class_token) + c, base);
    load_shared(p.position + int64_t(token) * COLS + c, position);
    for (int e = 0; e < kVector; ++e) base[e] += position[e];
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      if (first + i >= p.batch) continue;
      float v[kVector] = {};
      if (patch) packed[i].decode(v);
      for (int e = 0; e < kVector; ++e) v[e] += base[e];
      Packed<OUT>::encode(v).store(p.y + ((first + i) * TOKENS + token) * COLS + c);
    }
  }
}

OCTET_DEVICE void finish_elements(const Params& p, int token, int64_t first) {
  for (int c = int(threadIdx.x % 32); c < COLS; c += 32)
    for (int64_t item = first; item < min(first + kItems, p.batch); ++item) {
      const float sum = CLASS && token == 0 ? 0.0f : p.sums[(item * kPatches + token - CLASS) * COLS + c];
      p.y[(item * TOKENS + token) * COLS + c] = from_f32<OUT>(sum + added(p, token, c));
    }
}

extern "C" __global__ void __launch_bounds__(32 * kWarps) patch_finish(const __grid_constant__ Params p) {
  const int64_t task = int64_t(blockIdx.x) * kWarps + threadIdx.x / 32, first = task / TOKENS * kItems;
  wait_for_predecessor();
  let_successor_start();
  if (first >= p.batch) return;
  if constexpr (COLS % kVector == 0) finish_vectors(p, int(task % TOKENS), first);
  else finish_elements(p, int(task % TOKENS), first);
}
