// How far sums that keep few bits stray from the exact ones (numeric/accumulation.h): the FP8 path of tensor cores. Derived for each
// sum from its own products, nothing tuned: an instruction aligns its products and the sum to the largest of them, 2^e <= it; what
// lies below 2^(e - bits + 1) is cut off, which moves a positive product down and a negative one up by a known remainder, and the sum by
// less than that unit. The largest is taken with the sum's error so far, so that a kernel's unit is never above the bound's, and
// neither are its remainders: it divides the bound's.
#pragma once
#include <cstdint>

#include "numeric/accumulation.h"

namespace octet::oracle {

// bounds[lane] for sums over i < k of s[i] * x[i * stride + lane], lane < lanes. Scales may be left out if they are factors of all.
void short_sum_bounds(const Accumulation& how, int64_t k, int64_t lanes, const double* s, const double* x, int64_t stride, double* bounds);
void short_sum_bounds(const Accumulation& how, int64_t k, int64_t lanes, const double* s, const float* x, int64_t stride, double* bounds);

inline bool is_short(const Accumulation& how) { return how.bits < 24; }

}  // namespace octet::oracle
