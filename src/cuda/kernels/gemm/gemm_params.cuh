// What the GEMM kernels without tensor maps are launched with: gemm.h's GemmArgs as pointers. Defines: IN, OUT.
#pragma once
#include "gemm_epilogue.cuh"

struct Params {
  const IN *a, *w;
  OUT* out;
  const OUT* residual;
  const float *alpha, *bias, *post;
  int64_t m;
};
