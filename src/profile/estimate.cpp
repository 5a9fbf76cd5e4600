#include "profile/estimate.h"

#include <algorithm>
#include <cmath>

namespace octet::profile {
namespace {

double middle(const std::vector<double>& ascending) {
  const size_t n = ascending.size(), half = n / 2;
  return n == 0 ? 0 : n % 2 == 1 ? ascending[half] : (ascending[half - 1] + ascending[half]) / 2;
}

}  // namespace

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  return middle(values);
}

Estimate estimate(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const size_t n = values.size();
  // tail = P(at most `cut` of n values lie below the median); both tails may hold 5 %.
  double term = std::pow(0.5, static_cast<double>(n)), tail = term;
  size_t cut = 0;
  while (cut + 1 < n / 2) {
    term *= static_cast<double>(n - cut) / static_cast<double>(cut + 1);
    if (2 * (tail + term) > 0.05) break;
    tail += term;
    ++cut;
  }
  return {middle(values), values[cut], values[n - 1 - cut]};
}

bool meet(const Estimate& a, const Estimate& b) { return a.low <= b.high && b.low <= a.high; }

}  // namespace octet::profile
