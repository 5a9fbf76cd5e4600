// LayerNorm with a block for a row of any length: three passes over the row, which the caches hold. Defines: IN, OUT, COLS.
#include "norm.cuh"

extern "C" __global__ void __launch_bounds__(256) norm_block(const __grid_constant__ Params p) {
  __shared__ float shared[32];
  wait_for_predecessor();
  let_successor_start();
  const IN* x = p.x + int64_t(p.block()) * COLS;
  OUT* y = p.y + int64_t(p.block()) * COLS;
  float sum = 0, rest = 0, squares = 0;
  for (uint32_t c = threadIdx.x; c < COLS; c += blockDim.x) sum += to_f32(x[c]);
  const float mean = __fmul_rn(sum_of_block(sum, shared), 1.0f / float(COLS));
  for (uint32_t c = threadIdx.x; c < COLS; c += blockDim.x) {
    const float d = to_f32(x[c]) - mean;
    rest += d;
    squares = fmaf(d, d, squares);
  }
  rest = sum_of_block(rest, shared);
  squares = sum_of_block(squares, shared);
  const Statistics s(mean, rest, squares, p.epsilon);
  for (uint32_t c = threadIdx.x; c < COLS; c += blockDim.x)
    y[c] = from_f32<OUT>(s.apply(to_f32(x[c]), p.gamma[c], p.beta[c], p.inv_out_scale));
}
