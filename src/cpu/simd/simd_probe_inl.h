// SimdProbe over the including file's Native vector.
#pragma once
#include "cpu/isa.h"
#include "cpu/simd/native.h"
#include "cpu/simd/simd_probe.h"

namespace octet::cpu {
namespace {

constexpr int kProbeLanes = Native::kLanes;

template <class Function>
void apply(const float* x, float* y, size_t count, Function f) {
  for (size_t i = 0; i < count; i += kProbeLanes) {
    const auto m = Native::first(static_cast<int64_t>(count - i));
    f(Native::load(x + i, m)).store(y + i, m);
  }
}
void probe_load(DType type, const void* x, float* y, size_t count) {
  for (size_t i = 0; i < count; i += kProbeLanes) {
    const auto m = Native::first(static_cast<int64_t>(count - i));
    load_as(type, x, static_cast<int64_t>(i), m).store(y + i, m);
  }
}
void probe_store(DType type, const float* x, void* y, size_t count) {
  for (size_t i = 0; i < count; i += kProbeLanes) {
    const auto m = Native::first(static_cast<int64_t>(count - i));
    store_as(type, y, static_cast<int64_t>(i), Native::load(x + i, m), m);
  }
}
void probe_store_pairs(const float* x, uint8_t* y, size_t count) {
  const Native unit = Native::set(Native::kE4m3Unit);
  for (size_t i = 0; i < count; i += 2 * kProbeLanes) {
    const auto left = static_cast<int64_t>(count - i);
    const Native a = Native::load(x + i, Native::first(left)), b = Native::load(x + i + kProbeLanes, Native::first(left - kProbeLanes));
    store_pair<DType::e4m3>(y, static_cast<int64_t>(i), a * unit, b * unit, left);
  }
}

constexpr SimdProbe probe_of(const char* name, uint32_t isa) {
  return {name,
          isa,
          [](const float* x, float* y, size_t count) { apply(x, y, count, [](Native v) { return exp(v); }); },
          [](const float* x, float* y, size_t count) { apply(x, y, count, [](Native v) { return sigmoid(v); }); },
          [](const float* x, float* y, size_t count) { apply(x, y, count, [](Native v) { return erf(v); }); },
          [](const float* x, float* y, size_t count) { apply(x, y, count, [](Native v) { return quick_gelu(v); }); },
          [](const float* x, float* y, size_t count) { apply(x, y, count, [](Native v) { return gelu_erf(v); }); },
          [](const float* x, float* y, size_t count) { apply(x, y, count, [](Native v) { return gelu_tanh(v); }); },
          probe_load,
          probe_store,
          probe_store_pairs};
}

}  // namespace
}  // namespace octet::cpu
