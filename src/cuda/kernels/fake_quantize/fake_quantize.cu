// Values rounded to the grid of e4m3 at one scale, a thread an element. The quotient is IEEE's, so codes are those of every backend.
// Defines: IN, OUT.
#include "common.cuh"

struct Params {
  const IN* x;
  OUT* y;
  float scale;
  int64_t count;
};

extern "C" __global__ void __launch_bounds__(256) fake_quantize(const __grid_constant__ Params p) {
  wait_for_predecessor();
  let_successor_start();
  const int64_t stride = int64_t(gridDim.x) * 256;
  for (int64_t i = int64_t(blockIdx.x) * 256 + threadIdx.x; i < p.count; i += stride) {
    float value = to_f32(p.x[i]);
    if constexpr (!is_same<IN, e4m3>) value = to_f32(from_f32<e4m3>(__fdiv_rn(value, p.scale)));
    p.y[i] = from_f32<OUT>(__fmul_rn(value, p.scale));
  }
}
