// A weight matrix [n, k] decoded for products in f64: panels of 64 columns, [k][64] each, so that the inner loop runs over
// columns and vectorises without reordering a sum.
#pragma once
#include <memory>

#include "numeric/dtype.h"
#include "oracle/short_sums.h"

namespace octet::oracle {

class Panels {
 public:
  static constexpr int64_t kCols = 64, kRows = 4;
  Panels(DType dtype, const std::byte* data, int64_t n, int64_t k);
  int64_t count() const { return (n_ + kCols - 1) / kCols; }
  // sums[r * kCols + c] = sum over k of a[r * k_ + i] * w[panel * kCols + c, i] for r < kRows; of absolute values if `magnitudes`.
  void multiply(const double* a, int64_t panel, bool magnitudes, double* sums) const;
  // bounds[c]: how far a sum that is short of bits strays, for one row a (short_sums.h).
  void short_bounds(const Accumulation& how, const double* a, int64_t panel, double* bounds) const;

 private:
  int64_t n_, k_;
  std::unique_ptr<float[]> values_;  // exact: every weight type fits
};

}  // namespace octet::oracle
