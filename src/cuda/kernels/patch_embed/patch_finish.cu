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
// A lane takes kQuads times 4 columns at once: the 16 bytes of neighbours lie together, so that every 32-byte sector is asked for once.
constexpr int kQuad = 4, kQuads = 2;

// What is added to the sums at column c: once for all items.
OCTET_DEVICE float added(const Params& p, int token, int c) {
  return (CLASS && token == 0 ? p.class_token[c] : p.bias[c]) + p.position[int64_t(token) * COLS + c];
}
OCTET_DEVICE float4 sum(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
OCTET_DEVICE float4 load_quad(const float* from) {
  const uint4 v = load_once(from);
  return make_float4(__uint_as_float(v.x), __uint_as_float(v.y), __uint_as_float(v.z), __uint_as_float(v.w));
}
OCTET_DEVICE void store_quad(OUT* to, float4 v) {
  if constexpr (is_same<OUT, float>) *reinterpret_cast<float4*>(to) = v;
  else if constexpr (is_same<OUT, f16>) store_together(to, make_uint2(f32_to_f16x2(v.x, v.y), f32_to_f16x2(v.z, v.w)));
  else store_together(to, make_uint2(f32_to_bf16x2(v.x, v.y), f32_to_bf16x2(v.z, v.w)));
}

OCTET_DEVICE void finish_quads(const Params& p, int token, int64_t first) {
  const bool patch = !CLASS || token > 0;
  const float *const base = patch ? p.bias : p.class_token, *const position = p.position + int64_t(token) * COLS;
  for (int start = int(threadIdx.x % 32) * kQuad; start < COLS; start += 32 * kQuad * kQuads) {
    float4 v[kItems][kQuads], add[kQuads];
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {  // everything that is read is asked for before anything is stored
      const int c = start + q * 32 * kQuad;
      add[q] = make_float4(0, 0, 0, 0);
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        v[i][q] = add[q];
        if (patch && c < COLS && first + i < p.batch) v[i][q] = load_quad(p.sums + ((first + i) * kPatches + token - CLASS) * COLS + c);
      }
      if (c < COLS) add[q] = sum(*reinterpret_cast<const float4*>(base + c), *reinterpret_cast<const float4*>(position + c));
    }
#pragma unroll
    for (int q = 0; q < kQuads; ++q)
#pragma unroll
      for (int i = 0; i < kItems; ++i)
        if (start + q * 32 * kQuad < COLS && first + i < p.batch)
          store_quad(p.y + ((first + i) * TOKENS + token) * COLS + start + q * 32 * kQuad, sum(v[i][q], add[q]));
  }
}

OCTET_DEVICE void finish_elements(const Params& p, int token, int64_t first) {
  for (int c = int(threadIdx.x % 32); c < COLS; c += 32)
    for (int64_t item = first; item < min(first + kItems, p.batch); ++item) {
      const float sum = CLASS && token == 0 ? 0.0f : p.sums[(item * kPatches + token - CLASS) * COLS + c];
      p.y[(item * TOKENS + token) * COLS + c] = from_f32<OUT>(sum + added(p, token, c));
    }
}

// The last items first: the GEMM wrote their sums last, the L2 cache still holds them.
extern "C" __global__ void __launch_bounds__(32 * kWarps) patch_finish(const __grid_constant__ Params p) {
  const int64_t task = int64_t(gridDim.x - 1 - blockIdx.x) * kWarps + threadIdx.x / 32, first = task / TOKENS * kItems;
  wait_for_predecessor();
  let_successor_start();
  if (first >= p.batch) return;
  if constexpr (COLS % kQuad == 0) finish_quads(p, int(task % TOKENS), first);
  else finish_elements(p, int(task % TOKENS), first);
}
