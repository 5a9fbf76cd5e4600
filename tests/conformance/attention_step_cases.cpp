// The steps of unfused attention: token counts and head sizes as in attention_cases.cpp, every output type, with and without a mask.
#include <cmath>

#include "group.h"

namespace octet::conformance {
namespace {

struct Shape {
  uint32_t tokens, heads, head_dim;
  int64_t batch;
  std::vector<int64_t> weights() const { return {int64_t{heads} * tokens, plan::padded_keys(tokens)}; }
  int64_t cols() const { return int64_t{heads} * head_dim; }
};

Fill fill_of(DType type) { return {0, type == DType::e4m3 ? kCodes.deviation : 1, 0}; }
float scale_of(DType type) { return type == DType::e4m3 ? 1.0f / 60 : 1; }
plan::AttentionInput input(Group& group, DType type, const Shape& s) {
  return {group.buffer(type, {s.tokens, s.cols()}, fill_of(type)), 0, static_cast<uint32_t>(s.cols()), scale_of(type)};
}

void add_scores(Group& group, DType type, DType out, const Shape& s, bool causal) {
  const auto q = input(group, type, s), k = input(group, type, s);
  group.step(plan::Scores{q, k, group.buffer(out, s.weights()), s.tokens, s.heads, s.head_dim, causal,
                          static_cast<float>(1 / std::sqrt(static_cast<double>(s.head_dim)))},
             s.batch);
}
void add_softmax(Group& group, DType type, DType out, const Shape& s, bool causal, bool masked) {
  plan::Softmax op{group.buffer(type, s.weights(), {0, 3, 0}), group.buffer(out, s.weights()), s.tokens, s.heads, causal};
  if (out == DType::e4m3) op.out_scale = 1.0f / 448;
  if (masked) op.mask = group.buffer(s.tokens % 2 == 0 ? DType::i32 : DType::i64, {s.tokens}, {0, 0, 2});
  group.step(op, s.batch);
}
void add_values(Group& group, DType type, DType out, const Shape& s, bool causal) {
  const plan::Id weights = group.buffer(type, s.weights(), fill_of(type));
  const auto v = input(group, type, s);
  plan::Values op{weights, v, group.buffer(out, {s.tokens, s.cols()}), s.tokens, s.heads, s.head_dim, causal};
  op.p_scale = scale_of(type);
  op.out_scale = out == DType::e4m3 ? 40.0f / 448 : 1;
  group.step(op, s.batch);
}

}  // namespace

void add_attention_steps(Group& group) {
  constexpr DType kFloats[] = {DType::f16, DType::bf16, DType::f32};
  int turn = 0;
  for (const DType type : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
    for (const uint32_t tokens : {1u, 7u, 32u, 50u, 77u, 128u, 257u})
      for (const uint32_t head_dim : {5u, 24u, 64u, 80u}) {
        const Shape s{tokens, 1 + static_cast<uint32_t>(turn % 3), head_dim, tokens <= 50 ? 3 : 1};
        const bool causal = turn % 2 == 0;
        const DType score = type == DType::e4m3 ? kFloats[turn % 3] : turn % 5 == 0 ? DType::f32 : type;
        add_scores(group, type, score, s, causal);
        add_softmax(group, score, type, s, causal, false);
        add_values(group, type, turn % 3 == 0 ? DType::e4m3 : score, s, causal);
        ++turn;
      }
}

void add_masked_steps(Group& group) {
  int turn = 0;
  for (const DType type : {DType::f16, DType::bf16, DType::f32})
    for (const uint32_t tokens : {2u, 3u, 31u, 64u, 77u, 257u}) {
      const DType out = turn % 3 == 0 ? DType::e4m3 : type;
      add_softmax(group, type, out, {tokens, 2, 1, tokens < 32 ? 5 : 1}, turn % 2 == 0, true);
      ++turn;
    }
}

}  // namespace octet::conformance
