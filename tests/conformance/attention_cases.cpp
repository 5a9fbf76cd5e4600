// Attention of the towers' token counts and their neighbours, every head size that models use.
#include <cmath>

#include "group.h"

namespace octet::conformance {
namespace {

struct Shape {
  int64_t tokens, heads, head_dim, batch;
};

// `together`: q, k and v are columns of one buffer, as a fused projection leaves them.
void add(Group& group, DType type, DType out, const Shape& s, bool causal, bool quantized, bool together, bool clipped = false,
         bool masked = false) {
  const Fill fill{0, type == DType::e4m3 ? kCodes.deviation : 1, 0};
  const float scale = type == DType::e4m3 ? 1.0f / 60 : 1;
  const int64_t cols = s.heads * s.head_dim;
  plan::Attention op;
  const plan::Id first = group.buffer(type, {s.tokens, together ? 3 * cols : cols}, fill);
  plan::AttentionInput* inputs[] = {&op.q, &op.k, &op.v};
  for (uint32_t i = 0; i < 3; ++i)
    *inputs[i] =
        together ? plan::AttentionInput{first, i * static_cast<uint32_t>(cols), static_cast<uint32_t>(3 * cols), scale}
                 : plan::AttentionInput{i == 0 ? first : group.buffer(type, {s.tokens, cols}, fill), 0, static_cast<uint32_t>(cols), scale};
  op.out = group.buffer(out, {s.tokens, cols});
  op.tokens = static_cast<uint32_t>(s.tokens), op.heads = static_cast<uint32_t>(s.heads), op.head_dim = static_cast<uint32_t>(s.head_dim);
  op.causal = causal;
  op.score_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(s.head_dim)));
  op.p_scale = quantized ? 1.0f / 448 : 0;
  op.out_scale = out == DType::e4m3 ? (clipped ? 0.1f : 4.0f) / 448 : 1;
  if (masked) op.mask = group.buffer(s.tokens % 2 == 0 ? DType::i32 : DType::i64, {s.tokens}, {0, 0, 2});
  group.step(op, s.batch);
}

}  // namespace

void add_attention(Group& group, DType type) {
  int turn = 0;
  for (const int64_t tokens : {1, 7, 50, 64, 77, 128, 197, 257})
    for (const int64_t head_dim : {16, 32, 64, 80, 128}) {
      const int64_t heads = 1 + turn % 3, batch = tokens <= 50 ? 1 + turn % 3 * 2 : turn % 4 == 0 ? 3 : 1;
      const DType out = type == DType::e4m3 || turn % 4 == 3 ? DType::e4m3 : type;
      add(group, type, out, {tokens, heads, head_dim, batch}, turn % 2 == 0, type == DType::e4m3 || turn % 8 == 1, turn % 3 != 0);
      ++turn;
    }
  for (const bool causal : {false, true}) {
    for (const DType out : {DType::e4m3, DType::f16, DType::bf16, DType::f32}) add(group, type, out, {77, 2, 64, 1}, causal, true, true);
    add(group, type, DType::f16, {77, 2, 64, 1}, causal, false, true);
    add(group, type, type, {33, 3, 24, 3}, causal, type == DType::e4m3, true);
    add(group, type, type, {9, 2, 5, 3}, causal, type == DType::e4m3, true);  // rows of odd length
    add(group, type, DType::e4m3, {50, 2, 64, 1}, causal, true, true, true);
    add(group, type, DType::e4m3, {300, 1, 64, 1}, causal, true, false);
    // More heads than a GPU of up to 150 multiprocessors works on at once: persistent blocks go round.
    if (type != DType::f32) add(group, type, type, {145, 16, 64, 19}, causal, type == DType::e4m3, true);
  }
}

void add_masked(Group& group) {
  int turn = 0;
  for (const DType type : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
    for (const int64_t tokens : {2, 3, 31, 64, 77, 128, 257})  // of two or three random ones, some see nothing
      for (const int64_t head_dim : {5, 32, 64, 80}) {
        const DType out = type == DType::e4m3 || turn % 3 == 0 ? DType::e4m3 : type;
        add(group, type, out, {tokens, 1 + turn % 3, head_dim, tokens < 32 ? 5 : 1}, turn % 5 == 0, type == DType::e4m3, true, false, true);
        ++turn;
      }
}

}  // namespace octet::conformance
