// The pointwise step over a vector type V. One instance an activation; types are asked once a vector, beside its loads and stores.
#pragma once
#include "cpu/kernels/gemm/gemm_epilogue.h"
#include "cpu/kernels/pointwise/pointwise_rows.h"

namespace octet::cpu {
namespace {

template <class V, Act kAct>
void pointwise_rows(const PointwiseProblem& p, const PointwiseArgs& a, int64_t begin, int64_t end) {
  const V scale = V::set(a.scale), mul = V::set(a.mul), out_scale = V::set(a.out_scale);
  for (int64_t r = begin; r < end; ++r)
    for (int64_t c = 0; c < p.cols; c += V::kLanes) {
      const auto mask = V::first(p.cols - c);
      V y = load_as(p.in, a.x, r * p.cols + c, mask) * scale;
      if (a.bias != nullptr) y = y + V::load(a.bias + c, mask);
      y = activate<kAct>(y) * mul;
      if (a.residual != nullptr) y = y + load_as(p.out, a.residual, r * p.cols + c, mask);
      store_as(p.out, a.y, r * p.cols + c, y / out_scale, mask);
    }
}

template <class V>
void pointwise(const PointwiseProblem& p, const PointwiseArgs& a, int64_t begin, int64_t end) {
  switch (p.act) {
    case Act::kNone:
      return pointwise_rows<V, Act::kNone>(p, a, begin, end);
    case Act::kQuickGelu:
      return pointwise_rows<V, Act::kQuickGelu>(p, a, begin, end);
    case Act::kGeluErf:
      return pointwise_rows<V, Act::kGeluErf>(p, a, begin, end);
    case Act::kGeluTanh:
      return pointwise_rows<V, Act::kGeluTanh>(p, a, begin, end);
  }
}

}  // namespace
}  // namespace octet::cpu
