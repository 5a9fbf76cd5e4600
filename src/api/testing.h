// For the API's tests: random inputs, and a plan of realistic proportions in any precision.
#pragma once
#include "octet/octet.h"
#include "plan/testing.h"
#include "plan/testing_file.h"

namespace octet::testing {

// `count` items for an input: normal values, or ids below 11.
inline std::vector<char> random_items(const TensorInfo& info, int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 1);
  HostTensor tensor(info.dtype, {count * static_cast<int64_t>(info.bytes_per_item / size_of(info.dtype))});
  for (int64_t i = 0; i < tensor.count(); ++i)
    is_integer(info.dtype) ? tensor.set_int(i, static_cast<int64_t>(random() % (info.dtype == DType::u8 ? 256 : 11)))
                           : tensor.set(i, normal(random));
  const auto* bytes = reinterpret_cast<const char*>(tensor.bytes().data());
  return {bytes, bytes + tensor.bytes().size()};
}

struct VitShape {
  uint32_t tokens, cols, heads, inner;
  DType dtype = DType::e4m3;  // of the GEMMs and the attention; activations between blocks are f16, or this if it is a float
  plan::Activation activation = plan::Activation::kQuickGelu;
};

// A transformer block over an input [tokens, cols]: norm, qkv, attention, projection + residual, norm, fc1, fc2 + residual. Scales
// are such that codes spread over the range.
inline plan::Plan vit_plan(const VitShape& s, uint32_t seed = 6) {
  using namespace octet::plan;
  plan::testing::Builder b(seed);
  const bool fp8 = s.dtype == DType::e4m3;
  const DType wide = fp8 ? DType::f16 : s.dtype, t = s.dtype;
  const int64_t S = s.tokens, D = s.cols, F = s.inner;
  const auto scaled = [fp8](float scale) { return fp8 ? scale : 1.0f; };
  const float spread = 0.29f * std::sqrt(static_cast<float>(D));  // deviation of a sum of D products with uniform weights
  b.plan.name = "vit";
  const Id x = b.bound("x", wide, {S, D}, true), h = b.arena("h", t, {S, D}), qkv = b.arena("qkv", t, {S, 3 * D});
  const Id att = b.arena("att", t, {S, D}), y = b.arena("y", wide, {S, D}), h2 = b.arena("h2", t, {S, D}), f = b.arena("f", t, {S, F});
  const Id out = b.bound("out", wide, {S, D}, false);
  const auto vector = [&](const char* name, int64_t n) { return b.weight(name, wide, {n}); };
  const auto gemm = [&](Id a, Id to, Id residual, int64_t n, int64_t k, Activation act, std::vector<ColumnRange> ranges) {
    const Id w = b.weight("w", t, {n, k}), bias = vector("b", n);
    return Gemm{a, to, residual, w, bias, kNoId, s.tokens, static_cast<uint32_t>(n), static_cast<uint32_t>(k), act, std::move(ranges)};
  };
  const uint32_t d = s.cols;
  const float in = scaled(4.0f / 448), q = scaled(6 * spread / 448), fc = scaled(8 * spread / 448);
  b.step("ln1", Norm{x, h, vector("g", D), vector("b", D), s.tokens, d, 1e-5f, in});
  b.step("qkv", gemm(h, qkv, kNoId, 3 * D, D, Activation::kNone,
                     {{0, d, in, 0.35f, scaled(q * 0.35f)}, {d, 2 * d, in, 0.35f, scaled(q * 0.35f)}, {2 * d, 3 * d, in, 1, q}}));
  const float qk = scaled(q * 0.35f);
  b.step("attention", plan::Attention{{qkv, 0, 3 * d, qk},
                                      {qkv, d, 3 * d, qk},
                                      {qkv, 2 * d, 3 * d, q},
                                      att,
                                      s.tokens,
                                      s.heads,
                                      d / s.heads,
                                      0,
                                      0.1f,
                                      fp8 ? 1.0f / 448 : 0,
                                      q});
  b.step("proj", gemm(att, y, x, D, D, Activation::kNone, {{0, d, scaled(q * 0.1f), 1, 1}}));
  b.step("ln2", Norm{y, h2, vector("g", D), vector("b", D), s.tokens, d, 1e-5f, in});
  b.step("fc1", gemm(h2, f, kNoId, F, D, s.activation, {{0, s.inner, in, 1, fc}}));
  b.step("fc2", gemm(f, out, y, D, F, Activation::kNone, {{0, d, scaled(fc * 0.1f), 1, 1}}));
  return b.plan;
}

}  // namespace octet::testing
