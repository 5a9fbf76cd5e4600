#include "oracle/short_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "numeric/convert.h"

namespace octet::oracle {
namespace {

double cut(double value, double unit) { return unit == 0 ? value : unit * std::trunc(value / unit); }
double unit_at(double most, int bits) { return most == 0 ? 0 : std::ldexp(1.0, std::ilogb(most) - bits + 1); }

// The sum as such hardware makes it.
double emulate(const Accumulation& how, const std::vector<double>& products) {
  double total = 0, sum = 0;
  for (size_t begin = 0; begin < products.size(); begin += static_cast<size_t>(how.terms)) {
    if (how.restart > 0 && begin > 0 && begin % static_cast<size_t>(how.restart) == 0) total += std::exchange(sum, 0);
    const size_t end = std::min(products.size(), begin + static_cast<size_t>(how.terms));
    double most = std::abs(sum);
    for (size_t i = begin; i < end; ++i) most = std::max(most, std::abs(products[i]));
    const double unit = unit_at(most, how.bits);
    double aligned = cut(sum, unit);
    for (size_t i = begin; i < end; ++i) aligned += cut(products[i], unit);
    sum = cut(aligned, unit_at(std::abs(aligned), how.bits));
  }
  return total + sum;
}

struct Operands {
  Operands(int64_t k, int64_t lanes, uint32_t seed, double offset) : s(static_cast<size_t>(k)), x(static_cast<size_t>(k * lanes)) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal(offset, 1);
    for (double& value : s) value = decode_e4m3(encode_e4m3(60 * normal(random)));
    for (double& value : x) value = decode_e4m3(encode_e4m3(60 * normal(random)));
  }
  std::vector<double> s, x;
};

TEST(ShortSums, HoldWhatSuchHardwareGives) {
  uint32_t seed = 0;
  for (const Accumulation& how : {kFp8TensorCore, Accumulation{14, 32, 128}, Accumulation{14, 16, 0}, Accumulation{10, 32, 0}})
    for (const int64_t k : {1, 31, 32, 33, 300, 1024})
      for (const double offset : {0.0, 0.5}) {
        const int64_t lanes = 70;
        const Operands o(k, lanes, ++seed, offset);
        std::vector<double> bounds(lanes);
        short_sum_bounds(how, k, lanes, o.s.data(), o.x.data(), lanes, bounds.data());
        for (int64_t lane = 0; lane < lanes; ++lane) {
          std::vector<double> products;
          double exact = 0;
          for (int64_t i = 0; i < k; ++i)
            exact += products.emplace_back(o.s[static_cast<size_t>(i)] * o.x[static_cast<size_t>(i * lanes + lane)]);
          ASSERT_LE(std::abs(emulate(how, products) - exact), bounds[static_cast<size_t>(lane)]) << k << " seed " << seed;
        }
      }
}

// Products that reach the hardware's grid lose nothing, so that small or few sums are judged as if exact.
TEST(ShortSums, NothingIsGrantedBeyondTheLastPlace) {
  const std::vector<double> s{1, 1, 1}, x{2, 1, 0.5};
  double bound = 0;
  short_sum_bounds(kFp8TensorCore, 3, 1, s.data(), x.data(), 1, &bound);
  EXPECT_EQ(bound, 0x1p-12);  // one unit of 3.5
  const std::vector<double> zeros(3);
  short_sum_bounds(kFp8TensorCore, 3, 1, s.data(), zeros.data(), 1, &bound);
  EXPECT_EQ(bound, 0);
}

// Against the width of the outputs' distribution: tight enough to tell a wrong kernel from one that is short of bits.
TEST(ShortSums, AreSmallBesideTheSums) {
  const int64_t k = 1024, lanes = 64;
  const Operands o(k, lanes, 7, 0);
  std::vector<double> bounds(lanes);
  short_sum_bounds(kFp8TensorCore, k, lanes, o.s.data(), o.x.data(), lanes, bounds.data());
  double most = 0, square = 0;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    double sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += o.s[static_cast<size_t>(i)] * o.x[static_cast<size_t>(i * lanes + lane)];
    square += sum * sum / lanes;
    most = std::max(most, bounds[static_cast<size_t>(lane)]);
  }
  EXPECT_LT(most, 0.05 * std::sqrt(square));
  std::printf("largest bound over the sums' deviation: %.4f\n", most / std::sqrt(square));
}

}  // namespace
}  // namespace octet::oracle
