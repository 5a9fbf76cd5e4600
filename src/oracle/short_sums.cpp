#include "oracle/short_sums.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace octet::oracle {
namespace {

constexpr int64_t kLanes = 64;

// The place of the last bit kept beside a value of magnitude `most`; 0 for 0.
inline double unit_of(double most, int bits) {
  const double power = std::bit_cast<double>(std::bit_cast<uint64_t>(most) & 0x7ff0000000000000);  // the power of two below
  return power * std::bit_cast<double>(static_cast<uint64_t>(1023 - (bits - 1)) << 52);
}

// A kernel's sums since the last restart lie within [value - below, value + above].
struct Sums {
  double value[kLanes] = {}, below[kLanes] = {}, above[kLanes] = {};
  double most(int64_t c) const { return std::fabs(value[c]) + std::max(below[c], above[c]); }
  // The sum is cut off at `unit`: towards zero, on either side if its sign is not known.
  void cut(int64_t c, double unit) {
    const bool positive = value[c] + above[c] > 0, negative = value[c] - below[c] < 0;
    below[c] += positive ? unit : 0;
    above[c] += negative ? unit : 0;
  }
};

// One instruction: products [begin, end).
template <class T>
__attribute__((always_inline)) inline void add(int bits, int64_t begin, int64_t end, int64_t lanes, const double* s, const T* x,
                                               int64_t stride, Sums& sums) {
  double most[kLanes], part[kLanes] = {}, unit[kLanes], inverse[kLanes], lost_above[kLanes] = {}, lost_below[kLanes] = {};
  for (int64_t c = 0; c < lanes; ++c) most[c] = sums.most(c);
  for (int64_t i = begin; i < end; ++i)
    for (int64_t c = 0; c < lanes; ++c) {
      const double product = s[i] * static_cast<double>(x[i * stride + c]);
      part[c] += product;
      most[c] = std::max(most[c], std::fabs(product));
    }
  for (int64_t c = 0; c < lanes; ++c) unit[c] = unit_of(most[c], bits);
  for (int64_t c = 0; c < lanes; ++c) inverse[c] = unit[c] > 0 ? 1 / unit[c] : 0;
  for (int64_t i = begin; i < end; ++i)
    for (int64_t c = 0; c < lanes; ++c) {
      const double units = s[i] * static_cast<double>(x[i * stride + c]) * inverse[c];  // exact: powers of two
      const double rest = units - std::trunc(units);
      lost_below[c] += std::max(rest, 0.0);
      lost_above[c] -= std::min(rest, 0.0);
    }
  for (int64_t c = 0; c < lanes; ++c) {
    sums.cut(c, unit[c]);
    sums.value[c] += part[c];
    sums.below[c] += lost_below[c] * unit[c];
    sums.above[c] += lost_above[c] * unit[c];
  }
}

template <class T>
__attribute__((always_inline)) inline void bounds_of_lanes(const Accumulation& how, int64_t k, int64_t lanes, const double* s, const T* x,
                                                           int64_t stride, double* bounds) {
  Sums sums;
  double below[kLanes] = {}, above[kLanes] = {};
  const auto close = [&] {  // the sum is brought to its own exponent, and cut off there
    for (int64_t c = 0; c < lanes; ++c) {
      sums.cut(c, unit_of(sums.most(c), how.bits));
      below[c] += sums.below[c], above[c] += sums.above[c];
    }
    sums = {};
  };
  for (int64_t begin = 0; begin < k; begin += how.terms) {
    if (how.restart > 0 && begin > 0 && begin % how.restart == 0) close();
    add(how.bits, begin, std::min(begin + how.terms, k), lanes, s, x, stride, sums);
  }
  close();
  for (int64_t c = 0; c < lanes; ++c) bounds[c] = std::max(below[c], above[c]);
}

// Compiled for several instruction sets, chosen at start.
__attribute__((target_clones("avx512f", "avx2", "default"))) void bounds_of_doubles(const Accumulation& how, int64_t k, int64_t lanes,
                                                                                    const double* s, const double* x, int64_t stride,
                                                                                    double* bounds) {
  bounds_of_lanes(how, k, lanes, s, x, stride, bounds);
}
__attribute__((target_clones("avx512f", "avx2", "default"))) void bounds_of_floats(const Accumulation& how, int64_t k, int64_t lanes,
                                                                                   const double* s, const float* x, int64_t stride,
                                                                                   double* bounds) {
  bounds_of_lanes(how, k, lanes, s, x, stride, bounds);
}

}  // namespace

void short_sum_bounds(const Accumulation& how, int64_t k, int64_t lanes, const double* s, const double* x, int64_t stride, double* bounds) {
  for (int64_t c = 0; c < lanes; c += kLanes) bounds_of_doubles(how, k, std::min(kLanes, lanes - c), s, x + c, stride, bounds + c);
}
void short_sum_bounds(const Accumulation& how, int64_t k, int64_t lanes, const double* s, const float* x, int64_t stride, double* bounds) {
  for (int64_t c = 0; c < lanes; c += kLanes) bounds_of_floats(how, k, std::min(kLanes, lanes - c), s, x + c, stride, bounds + c);
}

}  // namespace octet::oracle
