#include "profile/accuracy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace octet::profile {
namespace {

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

struct Sums {
  double outside = 0, abs = 0, square = 0, max_abs = 0, ab = 0, aa = 0, bb = 0;
  bool broken = false;  // a value that is not finite has no like on the other side
};

Sums sums_of(std::span<const float> actual, std::span<const float> reference, const Tolerance& tolerance) {
  Sums sums;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double a = actual[i], b = reference[i];
    if (!std::isfinite(a) || !std::isfinite(b)) {
      if (same(actual[i], reference[i])) continue;
      ++sums.outside, sums.broken = true;
      continue;
    }
    const double d = std::abs(a - b);
    sums.outside += d > tolerance.atol + tolerance.rtol * std::abs(b);
    sums.abs += d, sums.square += d * d, sums.max_abs = std::max(sums.max_abs, d);
    sums.ab += a * b, sums.aa += a * a, sums.bb += b * b;
  }
  return sums;
}

}  // namespace

std::optional<Loss> loss_of(std::string_view name) {
  constexpr std::string_view kNames[] = {"l0", "l1", "l2", "lInf", "cos"};
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) return static_cast<Loss>(i);
  return std::nullopt;
}

double loss(Loss kind, std::span<const float> actual, std::span<const float> reference, const Tolerance& tolerance) {
  OCTET_CHECK(!actual.empty() && actual.size() == reference.size(), actual.size(), reference.size());
  const Sums sums = sums_of(actual, reference, tolerance);
  const auto n = static_cast<double>(actual.size());
  if (kind == Loss::kOutside) return sums.outside / n;
  if (sums.broken) return std::numeric_limits<double>::infinity();
  if (kind == Loss::kMeanAbs) return sums.abs / n;
  if (kind == Loss::kMeanSquare) return sums.square / n;
  if (kind == Loss::kMaxAbs) return sums.max_abs;
  if (sums.aa == 0 || sums.bb == 0) return sums.aa == sums.bb ? 0 : 1;
  return std::max(0.0, 1 - sums.ab / (std::sqrt(sums.aa) * std::sqrt(sums.bb)));
}

}  // namespace octet::profile
