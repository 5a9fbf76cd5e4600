// What follows f32 sums of a library's GEMM: out = round(act(sums * alpha + bias) * post + residual). A thread takes eight columns of
// a row. Defines: OUT, COLS (a multiple of 8), ACTIVATION, RESIDUAL (0, 1).
#include "gemm_epilogue.cuh"
#include "vectors.cuh"

struct Params {
  const float* sums;
  OUT* out;
  const OUT* residual;
  const float *alpha, *bias, *post;
  int64_t vectors;
};

constexpr int kThreads = 256, kVectorsPerRow = COLS / kVector;

extern "C" __global__ void __launch_bounds__(kThreads) gemm_finish(const __grid_constant__ Params p) {
  const int64_t vector = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  const int column = int(vector % kVectorsPerRow) * kVector;
  float alpha[kVector], bias[kVector], post[kVector], v[kVector];
  load_shared(p.alpha + column, alpha);
  load_shared(p.bias + column, bias);
  load_shared(p.post + column, post);
  wait_for_predecessor();
  let_successor_start();
  if (vector >= p.vectors) return;
  Packed<float>::load(p.sums + vector * kVector).decode(v);
  for (int e = 0; e < kVector; ++e) v[e] = epilogue<ACTIVATION>(v[e], alpha[e], bias[e], post[e]);
  if constexpr (RESIDUAL) {
    float residual[kVector];
    Packed<OUT>::load(p.residual + vector * kVector).decode(residual);
    for (int e = 0; e < kVector; ++e) v[e] += residual[e];
  }
  Packed<OUT>::encode(v).store(p.out + vector * kVector);
}
