// LayerNorm over a vector type V, for the dtypes of norm.h. A row is read three times, which costs less than keeping it in f32: it
// lies in L1 after the first time, and converting is cheap.
#pragma once

#include "cpu/kernels/norm/norm_rows.h"
#include "cpu/simd/native.h"

namespace octet::cpu {
namespace {

constexpr int kChains = 4;  // independent sums, to hide the latency of an addition

struct RowStatistics {
  float mean, shift, rstd;  // (x - true mean) / deviation = (x - mean) * rstd + shift
};

// mean is rounded; the second pass also sums x - mean, which corrects both statistics for that rounding
// (Chan, Golub, LeVeque 1983: the corrected two-pass algorithm). Rows far from zero keep their accuracy.
template <class V, DType kIn>
RowStatistics statistics(const void* x, int64_t begin, int64_t cols, float epsilon) {
  constexpr int kStep = kChains * V::kLanes;
  const auto all = V::first(V::kLanes);
  V sum[kChains] = {V::zero(), V::zero(), V::zero(), V::zero()};
  int64_t c = 0;
  for (; c + kStep <= cols; c += kStep)
    for (int i = 0; i < kChains; ++i) sum[i] = sum[i] + load_as(kIn, x, begin + c + i * V::kLanes, all);
  for (; c < cols; c += V::kLanes) sum[0] = sum[0] + load_as(kIn, x, begin + c, V::first(cols - c));
  const float count = static_cast<float>(cols);
  const float mean = sum_of((sum[0] + sum[1]) + (sum[2] + sum[3])) / count;

  const V center = V::set(mean);
  V rest[kChains] = {V::zero(), V::zero(), V::zero(), V::zero()}, square[kChains] = {V::zero(), V::zero(), V::zero(), V::zero()};
  for (c = 0; c + kStep <= cols; c += kStep)
    for (int i = 0; i < kChains; ++i) {
      const V d = load_as(kIn, x, begin + c + i * V::kLanes, all) - center;
      rest[i] = rest[i] + d;
      square[i] = fma(d, d, square[i]);
    }
  for (; c < cols; c += V::kLanes) {
    const auto mask = V::first(cols - c);
    const V d = select(mask, load_as(kIn, x, begin + c, mask) - center, V::zero());
    rest[0] = rest[0] + d;
    square[0] = fma(d, d, square[0]);
  }
  const float off = sum_of((rest[0] + rest[1]) + (rest[2] + rest[3])) / count;
  const float mean_square = sum_of((square[0] + square[1]) + (square[2] + square[3])) / count;
  const float variance = mean_square - off * off;
  const float rstd = 1.0f / __builtin_sqrtf((variance < 0.0f ? 0.0f : variance) + epsilon);
  return {mean, -off * rstd, rstd};
}

template <class V, DType kIn, DType kOut>
void norm_rows(const NormArgs& a, int64_t cols, int64_t begin, int64_t end) {
  const V scale = V::set(a.inv_out_scale * (kOut == DType::e4m3 ? V::kE4m3Unit : 1.0f));  // a power of two: exact
  for (int64_t r = begin; r < end; ++r) {
    const RowStatistics s = statistics<V, kIn>(a.x, r * cols, cols, a.epsilon);
    const V mean = V::set(s.mean), shift = V::set(s.shift), rstd = V::set(s.rstd);
    const auto value = [&](int64_t c, auto mask) __attribute__((always_inline)) {
      const V z = fma(load_as(kIn, a.x, r * cols + c, mask) - mean, rstd, shift);
      return fma(z, V::load(a.gamma + c, mask), V::load(a.beta + c, mask)) * scale;
    };
    int64_t c = 0;
    for (; c + 2 * V::kLanes <= cols; c += 2 * V::kLanes)
      store_pair<kOut>(a.y, r * cols + c, value(c, V::first(V::kLanes)), value(c + V::kLanes, V::first(V::kLanes)), 2 * V::kLanes);
    if (c < cols)
      store_pair<kOut>(a.y, r * cols + c, value(c, V::first(cols - c)), value(c + V::kLanes, V::first(cols - c - V::kLanes)), cols - c);
  }
}

template <class V, DType kIn>
void norm_to(DType out, const NormArgs& a, int64_t cols, int64_t begin, int64_t end) {
  if (out == DType::e4m3) return norm_rows<V, kIn, DType::e4m3>(a, cols, begin, end);
  if (out == DType::f16) return norm_rows<V, kIn, DType::f16>(a, cols, begin, end);
  if (out == DType::bf16) return norm_rows<V, kIn, DType::bf16>(a, cols, begin, end);
  norm_rows<V, kIn, DType::f32>(a, cols, begin, end);
}

template <class V>
void norm(const NormProblem& p, const NormArgs& a, int64_t begin, int64_t end) {
  if (p.in == DType::f16) return norm_to<V, DType::f16>(p.out, a, p.cols, begin, end);
  if (p.in == DType::bf16) return norm_to<V, DType::bf16>(p.out, a, p.cols, begin, end);
  norm_to<V, DType::f32>(p.out, a, p.cols, begin, end);
}

}  // namespace
}  // namespace octet::cpu
