// Small synthetic plans for tests: a one-layer text tower and a one-layer image tower which between them use every operation.
// Weights are uniform in [-0.5, 0.5] from a seed (e4m3 codes of the same range). Dims are odd on purpose.
#pragma once
#include <memory>
#include <random>

#include "numeric/host_tensor.h"
#include "plan/plan.h"

namespace octet::plan::testing {

class Builder {
 public:
  explicit Builder(uint32_t seed) : random_(seed) { plan.creator = "octet test"; }

  Id bound(std::string name, DType dtype, std::vector<int64_t> dims, bool input) {
    plan.buffers.push_back({name, dtype, std::move(dims), 0, 1});
    (input ? plan.inputs : plan.outputs).push_back({name, last()});
    return last();
  }
  // Arena buffers get places of their own, one after another.
  Id arena(std::string name, DType dtype, std::vector<int64_t> dims) {
    plan.buffers.push_back({std::move(name), dtype, std::move(dims), plan.arena_bytes_per_item, 0});
    plan.arena_bytes_per_item += (bytes_per_item(plan.buffers.back()) + 63) / 64 * 64;
    return last();
  }
  Id weight(std::string name, DType dtype, std::vector<int64_t> dims) {
    auto tensor = std::make_shared<HostTensor>(dtype, dims);
    std::uniform_real_distribution<double> uniform(-0.5, 0.5);
    for (int64_t i = 0; i < tensor->count(); ++i) tensor->set(i, uniform(random_));
    plan.weights.push_back({std::move(name), dtype, std::move(dims), 0});
    plan.weight_bytes.push_back(tensor->bytes());
    plan.storage.push_back(tensor);
    return static_cast<Id>(plan.weights.size()) - 1;
  }
  // Each step gets a source node of its own.
  void step(std::string name, Operation op, std::vector<std::string> notes = {}) {
    const auto node = static_cast<uint32_t>(plan.source.nodes.size());
    plan.source.nodes.push_back({name + "/node", std::string(kind_of(op)), {name + "/in", "shared"}, {name + "/out"}});
    plan.source.steps.push_back({node});
    plan.steps.push_back({std::move(name), op, std::move(notes)});
  }
  Plan plan;

 private:
  Id last() const { return static_cast<Id>(plan.buffers.size()) - 1; }
  std::mt19937 random_;
};

// ids [5] of a vocabulary of 11 -> embed -> norm -> qkv (e4m3, 3 ranges) -> causal attention -> proj + residual in place
// -> norm (f16) -> argmax pool -> projection to f16 [6], and its L2 normalisation as a second output.
inline Plan text_plan(uint32_t seed = 1) {
  constexpr int64_t T = 5, D = 24;
  Builder b(seed);
  b.plan.name = "text";
  const Id ids = b.bound("input_ids", DType::i64, {T}, true), x = b.arena("x", DType::f16, {T, D}), h = b.arena("h", DType::e4m3, {T, D});
  const Id qkv = b.arena("qkv", DType::e4m3, {T, 3 * D}), att = b.arena("att", DType::e4m3, {T, D});
  const Id h2 = b.arena("h2", DType::f16, {T, D}), pooled = b.arena("pooled", DType::f16, {D});
  const Id embeds = b.bound("text_embeds", DType::f16, {6}, false), unit = b.bound("unit", DType::f16, {6}, false);
  b.step("embed", Embed{ids, x, b.weight("token", DType::f16, {11, D}), b.weight("position", DType::f16, {T, D})});
  b.step("ln1", Norm{x, h, b.weight("g1", DType::f16, {D}), b.weight("b1", DType::f16, {D}), T, D, 1e-5f, 0.01f});
  Gemm gemm{h,
            qkv,
            kNoId,
            b.weight("w_qkv", DType::e4m3, {3 * D, D}),
            b.weight("b_qkv", DType::f16, {3 * D}),
            kNoId,
            T,
            3 * D,
            D,
            Activation::kNone,
            {{0, D, 1e-3f, 0.5f, 0.004f}, {D, 2 * D, 2e-3f, 0.5f, 0.004f}, {2 * D, 3 * D, 1e-3f, 1, 0.003f}}};
  b.step("qkv", gemm);
  b.step("attention",
         Attention{{qkv, 0, 3 * D, 0.004f}, {qkv, D, 3 * D, 0.004f}, {qkv, 2 * D, 3 * D, 0.003f}, att, T, 3, 8, 1, 1, 1 / 448.f, 0.002f});
  b.step("proj",
         Gemm{att,
              x,
              x,
              b.weight("w_o", DType::e4m3, {D, D}),
              b.weight("b_o", DType::f16, {D}),
              kNoId,
              T,
              D,
              D,
              Activation::kNone,
              {{0, D, 4e-4f, 1, 1}}},
         {"output is f16: no Q follows"});
  b.step("ln2", Norm{x, h2, b.weight("g2", DType::f16, {D}), kNoId, T, D, 1e-5f, 1});
  b.step("pool", Pool{h2, pooled, ids, T, D, PoolMode::kArgMax, 0});
  b.step("text_projection",
         Gemm{pooled, embeds, kNoId, b.weight("w_p", DType::f16, {6, D}), kNoId, kNoId, 1, 6, D, Activation::kNone, {{0, 6, 1, 1, 1}}});
  b.step("normalize", L2Normalize{embeds, unit, 6, 1e-12f});
  b.plan.source.nodes.push_back({"folded", "Constant", {}, {"shared"}});
  b.plan.source.folded = {static_cast<uint32_t>(b.plan.source.nodes.size()) - 1};
  return b.plan;
}

// text_plan() with its attention unfused: scores in f16, weights in e4m3.
inline Plan unfused_plan(uint32_t seed = 1) {
  Plan plan = text_plan(seed);
  const Attention fused = std::get<Attention>(plan.steps[3].op);
  const auto arena = [&](const char* name, DType dtype) {
    plan.buffers.push_back({name, dtype, {int64_t{fused.heads} * fused.tokens, padded_keys(fused.tokens)}, plan.arena_bytes_per_item, 0});
    plan.arena_bytes_per_item += (bytes_per_item(plan.buffers.back()) + 63) / 64 * 64;
    return static_cast<Id>(plan.buffers.size() - 1);
  };
  const Id scores = arena("scores", DType::f16), weights = arena("weights", DType::e4m3);
  const Step steps[] = {
      {"scores", Scores{fused.q, fused.k, scores, fused.tokens, fused.heads, fused.head_dim, fused.causal, fused.score_scale}, {}},
      {"softmax", Softmax{scores, weights, fused.tokens, fused.heads, fused.causal, fused.p_scale}, {}},
      {"values",
       Values{weights, fused.v, fused.out, fused.tokens, fused.heads, fused.head_dim, fused.causal, fused.p_scale, fused.out_scale},
       {}}};
  plan.steps.erase(plan.steps.begin() + 3);
  plan.steps.insert(plan.steps.begin() + 3, std::begin(steps), std::end(steps));
  plan.source.steps.insert(plan.source.steps.begin() + 4, 2, {});
  return plan;
}

// text_plan() whose first norm reads what it reads through e4m3, and whose pooled row is kept in codes.
inline Plan fake_quantized_plan(uint32_t seed = 1) {
  Plan plan = text_plan(seed);
  const auto arena = [&](const char* name, DType dtype, std::vector<int64_t> dims) {
    plan.buffers.push_back({name, dtype, std::move(dims), plan.arena_bytes_per_item, 0});
    plan.arena_bytes_per_item += (bytes_per_item(plan.buffers.back()) + 63) / 64 * 64;
    return static_cast<Id>(plan.buffers.size() - 1);
  };
  auto& norm = std::get<Norm>(plan.steps[1].op);
  auto& last = std::get<Norm>(plan.steps[5].op);
  auto& pool = std::get<Pool>(plan.steps[6].op);
  const Id rounded = arena("x.dq", DType::f16, {5, 24}), pooled_codes = arena("pooled.codes", DType::e4m3, {24});
  const Step steps[] = {{"x.dq", FakeQuantize{norm.in, rounded, 5, 24, 0.005f}, {}},
                        {"pooled.dq", FakeQuantize{pooled_codes, pool.out, 1, 24, 0.01f}, {}}};
  norm.in = rounded;
  plan.buffers[last.out].dtype = DType::e4m3, last.out_scale = 0.01f;
  pool.out = pooled_codes;
  plan.steps.insert(plan.steps.begin() + 7, steps[1]);
  plan.steps.insert(plan.steps.begin() + 1, steps[0]);
  plan.source.steps.insert(plan.source.steps.begin() + 7, std::vector<uint32_t>{});
  plan.source.steps.insert(plan.source.steps.begin() + 1, std::vector<uint32_t>{});
  return plan;
}

// pixels [3, 6, 4], patches of 2 -> patch embed with a class token (S = 7, D = 16) -> norm -> fc1 + quick_gelu (e4m3)
// -> fc2 with channel scales + residual -> class row -> norm -> f16 [16].
inline Plan image_plan(uint32_t seed = 2) {
  constexpr int64_t S = 7, D = 16, F = 40;
  Builder b(seed);
  b.plan.name = "image";
  const Id pixels = b.bound("pixel_values", DType::f16, {3, 6, 4}, true), x = b.arena("x", DType::f16, {S, D});
  const Id h = b.arena("h", DType::e4m3, {S, D}), f = b.arena("f", DType::e4m3, {S, F}), y = b.arena("y", DType::f16, {S, D});
  const Id pooled = b.arena("pooled", DType::f16, {D}), out = b.bound("image_embeds", DType::f16, {D}, false);
  b.step("patches", PatchEmbed{pixels, x, b.weight("w_patch", DType::f16, {D, 3, 2, 2}), b.weight("b_patch", DType::f16, {D}),
                               b.weight("class", DType::f16, {D}), b.weight("position", DType::f16, {S, D}), 3, 6, 4, 2, 1});
  b.step("ln", Norm{x, h, b.weight("g", DType::f32, {D}), b.weight("b", DType::f32, {D}), S, D, 1e-6f, 0.005f});
  b.step("fc1", Gemm{h,
                     f,
                     kNoId,
                     b.weight("w1", DType::e4m3, {F, D}),
                     b.weight("b1", DType::f16, {F}),
                     kNoId,
                     S,
                     F,
                     D,
                     Activation::kQuickGelu,
                     {{0, F, 5e-4f, 1, 0.002f}}});
  const Id scale = b.weight("scale2", DType::f32, {D});
  auto positive = std::make_shared<HostTensor>(DType::f32, std::vector<int64_t>{D});
  for (int64_t i = 0; i < D; ++i) positive->set(i, 0.25 * static_cast<double>(i + 1));
  b.plan.weight_bytes[scale] = positive->bytes();
  b.plan.storage.push_back(positive);
  b.step("fc2", Gemm{f,
                     y,
                     x,
                     b.weight("w2", DType::e4m3, {D, F}),
                     b.weight("b2", DType::f32, {D}),
                     scale,
                     S,
                     D,
                     F,
                     Activation::kNone,
                     {{0, D, 2e-4f, 1, 1}}});
  b.step("class_row", Pool{y, pooled, kNoId, S, D, PoolMode::kIndex, 0});
  b.step("post_ln", Norm{pooled, out, b.weight("g_post", DType::f16, {D}), b.weight("b_post", DType::f16, {D}), 1, D, 1e-5f, 1});
  return b.plan;
}

// image_plan() of a picture of bytes [6, 4, 3].
inline Plan bytes_plan(uint32_t seed = 2) {
  Plan plan = image_plan(seed);
  plan.name = "bytes";
  plan.buffers[0].dtype = DType::u8, plan.buffers[0].dims = {6, 4, 3};
  Builder b(seed);
  b.weight("table", DType::f16, {3, kPixelValues});
  plan.weights.push_back(b.plan.weights[0]);
  plan.weight_bytes.push_back(b.plan.weight_bytes[0]), plan.storage.push_back(b.plan.storage[0]);
  std::get<PatchEmbed>(plan.steps[0].op).table = static_cast<Id>(plan.weights.size() - 1);
  return plan;
}

// image_plan() whose two sums are rounded to e4m3 before bias, activation and residual.
inline Plan rounded_sums_plan(uint32_t seed = 2) {
  Plan plan = image_plan(seed);
  const auto arena = [&](const char* name, int64_t cols) {
    plan.buffers.push_back({name, DType::e4m3, {7, cols}, plan.arena_bytes_per_item, 0});
    plan.arena_bytes_per_item += (bytes_per_item(plan.buffers.back()) + 63) / 64 * 64;
    return static_cast<Id>(plan.buffers.size() - 1);
  };
  const auto split = [&](size_t step, const char* name) {
    auto& gemm = std::get<Gemm>(plan.steps[step].op);
    ColumnRange& range = gemm.ranges[0];
    const Pointwise rest{arena(name, gemm.n), gemm.out, gemm.residual, gemm.bias,      gemm.rows, gemm.n,
                         gemm.activation,     0.01f,    range.mul,     range.out_scale};
    gemm.out = rest.in, gemm.residual = gemm.bias = kNoId, gemm.activation = Activation::kNone, range.mul = 1, range.out_scale = 0.01f;
    plan.steps.insert(plan.steps.begin() + static_cast<std::ptrdiff_t>(step) + 1, {name, rest, {"its sum is rounded"}});
    plan.source.steps.insert(plan.source.steps.begin() + static_cast<std::ptrdiff_t>(step) + 1, std::vector<uint32_t>{});
  };
  split(3, "fc2.sum");
  split(2, "fc1.sum");
  return plan;
}

}  // namespace octet::plan::testing
