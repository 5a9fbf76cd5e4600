#include "oracle/panels.h"

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

Panels::Panels(DType dtype, const std::byte* data, int64_t n, int64_t k) : n_(n), k_(k), values_(static_cast<size_t>(count() * kCols * k)) {
  std::vector<float> row(static_cast<size_t>(k));
  const auto row_bytes = static_cast<int64_t>(size_of(dtype)) * k;
  for (int64_t j = 0; j < n; ++j) {
    decode_many(dtype, data + j * row_bytes, k, row.data());
    float* to = values_.data() + j / kCols * kCols * k + j % kCols;
    for (int64_t i = 0; i < k; ++i) to[i * kCols] = row[static_cast<size_t>(i)];
  }
}

void Panels::multiply(const double* a, int64_t panel, bool magnitudes, double* sums) const {
  const float* w = values_.data() + panel * kCols * k_;
  magnitudes ? multiply_magnitudes(a, w, k_, sums) : multiply_panel(a, w, k_, sums);
}

}  // namespace octet::oracle
