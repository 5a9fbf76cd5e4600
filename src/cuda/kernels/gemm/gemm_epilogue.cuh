// What follows the sums of a GEMM, shared by its kernels: act(acc * alpha + bias) * post, in f32. Errors in units of 2^-24 |x|, found on
// a grid of all magnitudes with ex2 and rcp at their worst (2 and 1 ulp): quick and tanh GELU 3.6, erf GELU 2.7; the oracle grants 8.
// NaN gives NaN, infinity itself; minus infinity gives NaN as the formulas do (0 times infinity), except erf GELU's zero.
#pragma once
#include "common.cuh"

// Values of cuda::Act.
enum Activation { kNone = 0, kQuickGelu = 1, kGeluErf = 2, kGeluTanh = 3 };

// x / (1 + 2^exponent)
OCTET_DEVICE float scaled_sigmoid(float x, float exponent) { return x * reciprocal_approx(1.0f + exp2_approx(exponent)); }

// x Phi(x) = max(x, 0) - |x| Q(|x|), Q the upper tail of the normal distribution: 2^P(t), P minimax in the absolute error of Q on
// [0, 5.8] (0.2 * 2^-24); its leading coefficient is negative, so that Q falls to 0 beyond. The factor |x| is cut where Q is 0, for
// infinities.
OCTET_DEVICE float gelu_erf(float x) {
  const float t = fabsf(x);
  float p = -2.83491271e-6f;
  p = fmaf(p, t, 3.93776899e-5f);
  p = fmaf(p, t, -0.000186180234f);
  p = fmaf(p, t, -0.000136936386f);
  p = fmaf(p, t, 0.00706342015f);
  p = fmaf(p, t, -0.0524961784f);
  p = fmaf(p, t, -0.459208197f);
  p = fmaf(p, t, -1.15110521f);
  p = fmaf(p, t, -1.0f);
  return fmaf(-fminf(t, 64.0f), exp2_approx(p), fmaxf(x, 0.0f));
}

template <int ACT>
OCTET_DEVICE float activate(float x) {
  constexpr float kLog2E = 1.442695041f;
  if constexpr (ACT == kQuickGelu) return scaled_sigmoid(x, x * (-1.702f * kLog2E));
  if constexpr (ACT == kGeluErf) return gelu_erf(x);
  // (1 + tanh u) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)
  if constexpr (ACT == kGeluTanh) return scaled_sigmoid(x, x * fmaf(x * x, -0.044715f * 1.595769122f * kLog2E, -1.595769122f * kLog2E));
  return x;
}

// Without an activation alpha and bias hold post already.
template <int ACT>
OCTET_DEVICE float epilogue(float acc, float alpha, float bias, float post) {
  const float x = fmaf(acc, alpha, bias);
  return ACT == kNone ? x : activate<ACT>(x) * post;
}
