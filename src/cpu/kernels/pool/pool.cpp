// One row per item, and rows of unit length. Both are a few kilobytes of work per item: plain loops.
#include "cpu/kernels/pool/pool.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "numeric/convert.h"

namespace octet::cpu {
namespace {

// argmax (first of equals) or the first equal to `index`, else 0.
template <class Id>
int64_t chosen(const Id* ids, int64_t tokens, int64_t index, PoolMode mode) {
  if (mode == PoolMode::kArgMax) return std::max_element(ids, ids + tokens) - ids;
  const Id* found = std::find_if(ids, ids + tokens, [index](Id id) { return static_cast<int64_t>(id) == index; });
  return found == ids + tokens ? 0 : found - ids;
}

int64_t row_of(const PoolArgs& a, int64_t item) {
  if (a.mode == PoolMode::kIndex) return a.index;
  if (a.ids_dtype == DType::i32) return chosen(static_cast<const int32_t*>(a.ids) + item * a.tokens, a.tokens, a.index, a.mode);
  return chosen(static_cast<const int64_t*>(a.ids) + item * a.tokens, a.tokens, a.index, a.mode);
}

}  // namespace

void pool(const PoolArgs& a) {
  const auto* x = static_cast<const uint8_t*>(a.x);
  auto* y = static_cast<uint8_t*>(a.y);
  for (int64_t b = 0; b < a.batch; ++b) {
    const int64_t row = std::clamp<int64_t>(row_of(a, b), 0, a.rows - 1);  // a plan's index is validated; ids may be longer than x
    std::memcpy(y + b * a.row_bytes, x + (b * a.rows + row) * a.row_bytes, static_cast<size_t>(a.row_bytes));
  }
}

void l2normalize(DType dtype, const void* x, void* y, int64_t rows, int64_t cols, float epsilon) {
  constexpr int64_t kChunk = 256;  // decoded at a time: no allocation here
  float values[kChunk];
  const auto bytes = static_cast<int64_t>(size_of(dtype));
  for (int64_t r = 0; r < rows; ++r) {
    const auto* from = static_cast<const uint8_t*>(x) + r * cols * bytes;
    auto* to = static_cast<uint8_t*>(y) + r * cols * bytes;
    double sum = 0;  // f64: a sum of squares of f32 neither overflows nor loses
    for (int64_t c = 0; c < cols; c += kChunk) {
      const int64_t n = std::min(kChunk, cols - c);
      decode_many(dtype, from + c * bytes, n, values);
      for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]) * values[i];
    }
    const double norm = std::sqrt(sum) < epsilon ? epsilon : std::sqrt(sum);  // NaN stays NaN
    for (int64_t c = 0; c < cols; c += kChunk) {
      const int64_t n = std::min(kChunk, cols - c);
      decode_many(dtype, from + c * bytes, n, values);
      for (int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(values[i] / norm);
      encode_many(dtype, values, n, to + c * bytes);
    }
  }
}

}  // namespace octet::cpu
