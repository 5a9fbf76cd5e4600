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

struct Sums {
  double value[kLanes] = {}, error[kLanes] = {};  // since the last restart
};

// One instruction: products [begin, end).
template <class T>
__attribute__((always_inline)) inline void add(int bits, int64_t begin, int64_t end, int64_t lanes, const double* s, const T* x,
                                               int64_t stride, Sums& sums) {
  double most[kLanes], part[kLanes] = {}, unit[kLanes], inverse[kLanes], lossy[kLanes];
  for (int64_t c = 0; c < lanes; ++c) most[c] = std::fabs(sums.value[c]) + sums.error[c];
  for (int64_t c = 0; c < lanes; ++c) lossy[c] = most[c] > 0 ? 1 : 0;  // the sum itself
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
      lossy[c] += units == std::floor(units) ? 0 : 1;
    }
  for (int64_t c = 0; c < lanes; ++c) sums.value[c] += part[c];
  for (int64_t c = 0; c < lanes; ++c) sums.error[c] += lossy[c] * unit[c];
}

template <class T>
__attribute__((always_inline)) inline void bounds_of_lanes(const Accumulation& how, int64_t k, int64_t lanes, const double* s, const T* x,
                                                           int64_t stride, double* bounds) {
  Sums sums;
  std::fill_n(bounds, lanes, 0.0);
  const auto close = [&] {  // the sum is brought to its own exponent, and cut off there
    for (int64_t c = 0; c < lanes; ++c) bounds[c] += sums.error[c] + unit_of(std::fabs(sums.value[c]) + sums.error[c], how.bits);
    sums = {};
  };
  for (int64_t begin = 0; begin < k; begin += how.terms) {
    if (how.restart > 0 && begin > 0 && begin % how.restart == 0) close();
    add(how.bits, begin, std::min(begin + how.terms, k), lanes, s, x, stride, sums);
  }
  close();
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
