// Rows divided by their length, a block a row. In f64: squares of f32 and bf16 values leave the range of f32, and the work is small.
// Defines: TYPE, COLS.
#include "common.cuh"

struct Params {
  const TYPE* x;
  TYPE* y;
  float epsilon;
};

extern "C" __global__ void __launch_bounds__(128) l2normalize(const __grid_constant__ Params p) {
  __shared__ double partial[4];
  wait_for_predecessor();
  let_successor_start();
  const TYPE* x = p.x + int64_t(blockIdx.x) * COLS;
  TYPE* y = p.y + int64_t(blockIdx.x) * COLS;
  double squares = 0;
  for (int c = int(threadIdx.x); c < COLS; c += 128) {
    const double value = to_f32(x[c]);
    squares = fma(value, value, squares);
  }
  for (int distance = 16; distance > 0; distance /= 2) squares += __shfl_xor_sync(0xffffffffu, squares, distance);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = squares;
  __syncthreads();
  const double length = sqrt((partial[0] + partial[1]) + (partial[2] + partial[3]));
  const double inverse = 1.0 / (length < double(p.epsilon) ? double(p.epsilon) : length);  // NaN stays NaN
  for (int c = int(threadIdx.x); c < COLS; c += 128) y[c] = from_f32<TYPE>(float(double(to_f32(x[c])) * inverse));
}
