// How far f32 arithmetic may lead a kernel from the exact result of a step, before its last rounding. Derived, not tuned:
// a sum of n terms in any order loses at most (n - 1) half-ulps of the sum of magnitudes (Higham, Accuracy and Stability of
// Numerical Algorithms, 4.2); the constants count the other roundings on the way. The kernel headers state the same bounds.
// They make "equal codes except where the exact value lies within its bound of a rounding midpoint" a test (oracle/compare.h).
#pragma once
#include <cmath>
#include <cstdint>

#include "plan/plan.h"

namespace octet::oracle {

inline constexpr double kHalfUlp = 0x1p-24;  // relative error of one f32 rounding

// Of a sum of `terms` exact products, a scale and a bias; `magnitude` is the sum of their absolute values, scaled.
inline double accumulation_bound(int64_t terms, double magnitude) { return static_cast<double>(terms + 8) * kHalfUlp * magnitude; }

// After the activation y = act(x) of an x known within `bound`: the steepest slope of the GELU family is 1.129, and an
// implementation keeps 4 ulp of y, |y| <= |x|.
inline double activation_bound(plan::Activation activation, double x, double bound) {
  return activation == plan::Activation::kNone ? bound : 1.13 * bound + 8 * kHalfUlp * std::abs(x);
}

// LayerNorm: n = (x - mean) / deviation, y = n * gamma + beta. Sums run in at least 16 chains.
inline double norm_bound(int64_t cols, double n, double gamma, double beta) {
  const double sums = static_cast<double>(cols) / 16 + 8;
  return kHalfUlp * (sums * (1 + std::abs(n)) * std::abs(gamma) + 4 * (std::abs(n * gamma) + std::abs(beta)));
}

// Softmax. The relative error of exp(s - max): that of its argument (a score within `score_bound`, three roundings of the
// difference) and of the function itself (2^-22).
inline double exponential_bound(double score_bound, double below_max) { return 2 * score_bound + 4 * kHalfUlp * below_max + 0x1p-22; }
// Relative error of one rounding of an unquantized probability, which a kernel may store in the type of its inputs.
inline double probability_rounding(DType in) { return in == DType::bf16 ? 0x1p-8 : in == DType::f32 ? kHalfUlp : 0x1p-11; }

}  // namespace octet::oracle
