// The epilogue of a product by itself, a thread an element. Products, sums and the quotient are IEEE's, each rounded: without an
// activation results are those of every backend. Defines: IN, OUT, ACTIVATION, RESIDUAL.
#include "gemm_epilogue.cuh"

struct Params {
  const IN* x;
  OUT* y;
  const OUT* residual;
  const float* bias;
  float scale, mul, out_scale;
  int64_t cols, count;
};

extern "C" __global__ void __launch_bounds__(256) pointwise(const __grid_constant__ Params p) {
  wait_for_predecessor();
  let_successor_start();
  const int64_t stride = int64_t(gridDim.x) * 256;
  for (int64_t i = int64_t(blockIdx.x) * 256 + threadIdx.x; i < p.count; i += stride) {
    float value = __fadd_rn(__fmul_rn(to_f32(p.x[i]), p.scale), p.bias[i % p.cols]);
    value = __fmul_rn(activate<ACTIVATION>(value), p.mul);
    if constexpr (RESIDUAL) value = __fadd_rn(value, to_f32(p.residual[i]));
    p.y[i] = from_f32<OUT>(__fdiv_rn(value, p.out_scale));
  }
}
