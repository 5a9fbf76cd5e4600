#include "oracle/panels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "numeric/convert.h"

namespace octet::oracle {
namespace {

// Compiled for several instruction sets, chosen at start; without contraction all give the same bits.
__attribute__((target_clones("avx512f", "avx2", "default"))) void multiply_panel(const double* a, const float* w, int64_t k, double* sums) {
  double sum[Panels::kRows * Panels::kCols] = {};
  for (int64_t i = 0; i < k; ++i)
    for (int64_t r = 0; r < Panels::kRows; ++r) {
      const double x = a[r * k + i];
      for (int64_t c = 0; c < Panels::kCols; ++c) sum[r * Panels::kCols + c] += x * static_cast<double>(w[i * Panels::kCols + c]);
    }
  std::memcpy(sums, sum, sizeof(sum));
}
__attribute__((target_clones("avx512f", "avx2", "default"))) void multiply_magnitudes(const double* a, const float* w, int64_t k,
                                                                                      double* sums) {
  double sum[Panels::kRows * Panels::kCols] = {};
  for (int64_t i = 0; i < k; ++i)
    for (int64_t r = 0; r < Panels::kRows; ++r) {
      const double x = std::fabs(a[r * k + i]);
      for (int64_t c = 0; c < Panels::kCols; ++c)
        sum[r * Panels::kCols + c] += x * std::fabs(static_cast<double>(w[i * Panels::kCols + c]));
    }
  std::memcpy(sums, sum, sizeof(sum));
}

}  // namespace

// In blocks of kBlock values of k, so that what one row scatters over stays in the first cache.
Panels::Panels(DType dtype, const std::byte* data, int64_t n, int64_t k)
    : n_(n), k_(k), values_(std::make_unique_for_overwrite<float[]>(static_cast<size_t>(count() * kCols * k))) {
  constexpr int64_t kBlock = 64;
  const auto size = static_cast<int64_t>(size_of(dtype));
  float row[kBlock];
  for (int64_t panel = 0; panel < count(); ++panel)
    for (int64_t begin = 0; begin < k; begin += kBlock) {
      const int64_t length = std::min(kBlock, k - begin);
      float* to = values_.get() + (panel * k + begin) * kCols;
      for (int64_t c = 0; c < kCols; ++c, ++to) {
        const int64_t j = panel * kCols + c;
        if (j < n) decode_many(dtype, data + (j * k + begin) * size, length, row);
        for (int64_t i = 0; i < length; ++i) to[i * kCols] = j < n ? row[i] : 0.0f;
      }
    }
}

void Panels::multiply(const double* a, int64_t panel, bool magnitudes, double* sums) const {
  const float* w = values_.get() + panel * kCols * k_;
  magnitudes ? multiply_magnitudes(a, w, k_, sums) : multiply_panel(a, w, k_, sums);
}
void Panels::short_bounds(const Accumulation& how, const double* a, int64_t panel, double* bounds) const {
  short_sum_bounds(how, k_, kCols, a, values_.get() + panel * kCols * k_, kCols, bounds);
}

}  // namespace octet::oracle
