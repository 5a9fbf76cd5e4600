// fake_quantize over a vector type V: divide, to a code and back in registers, multiply, one rounding.
#pragma once
#include "cpu/kernels/fake_quantize/fake_quantize_rows.h"
#include "cpu/simd/native.h"

namespace octet::cpu {
namespace {

template <class V, DType kIn, DType kOut>
void fake_quantize_elements(const FakeQuantizeArgs& a, int64_t begin, int64_t end) {
  const V scale = V::set(a.scale);
  for (int64_t i = begin; i < end; i += V::kLanes) {
    const auto mask = V::first(end - i);
    V x = load_as(kIn, a.x, i, mask);
    if constexpr (kIn != DType::e4m3) x = through_e4m3(x / scale);
    store_as(kOut, a.y, i, x * scale, mask);
  }
}

template <class V, DType kOut>
void fake_quantize_to(const FakeQuantizeProblem& p, const FakeQuantizeArgs& a, int64_t begin, int64_t end) {
  if (p.in == DType::e4m3) return fake_quantize_elements<V, DType::e4m3, kOut>(a, begin, end);
  fake_quantize_elements<V, kOut, kOut>(a, begin, end);
}

template <class V>
void fake_quantize(const FakeQuantizeProblem& p, const FakeQuantizeArgs& a, int64_t begin, int64_t end) {
  if (p.out == DType::f16) return fake_quantize_to<V, DType::f16>(p, a, begin, end);
  if (p.out == DType::bf16) return fake_quantize_to<V, DType::bf16>(p, a, begin, end);
  fake_quantize_to<V, DType::f32>(p, a, begin, end);
}

}  // namespace
}  // namespace octet::cpu
