// What the norm kernels share: parameters and the last step of the statistics. See norm.h for the formula.
#pragma once
#include "vectors.cuh"

struct Params {
  const IN* x;
  OUT* y;
  const float *gamma, *beta;
  float epsilon, inv_out_scale;
  int64_t rows;
  int backward;

  OCTET_DEVICE uint32_t block() const { return backward ? gridDim.x - 1 - blockIdx.x : blockIdx.x; }
};

OCTET_DEVICE float reciprocal_root(float x) {  // 2 ulp, subnormals included
  float y;
  asm("rsqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// (x - true mean) / deviation = (x - mean) * rstd + shift. The mean is rounded: `rest`, the sum of x - mean, corrects both statistics
// for that (Chan, Golub, LeVeque 1983), so that rows far from zero keep their accuracy.
struct Statistics {
  float mean, shift, rstd;
  OCTET_DEVICE Statistics(float mean, float rest, float squares, float epsilon) : mean(mean) {
    constexpr float kInverse = 1.0f / float(COLS);
    const float off = __fmul_rn(rest, kInverse), variance = fmaf(-off, off, __fmul_rn(squares, kInverse));
    rstd = reciprocal_root(fmaxf(variance, 0.0f) + epsilon);
    shift = __fmul_rn(-off, rstd);
  }
  OCTET_DEVICE float apply(float x, float gamma, float beta, float scale) const {
    return __fmul_rn(fmaf(fmaf(x - mean, rstd, shift), gamma, beta), scale);
  }
};
