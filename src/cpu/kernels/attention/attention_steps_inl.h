// Unfused attention over the native vector, for any dtype: the portable, AVX2 and AVX-512 rows. The fast row is attention_steps_amx.cpp.
#pragma once
#include "cpu/kernels/attention/attention_f32_inl.h"
#include "cpu/kernels/attention/attention_steps_rows.h"

namespace octet::cpu {
namespace {

// q and k as attention_f32_inl.h packs and reads them.
inline AttentionArgs as_fused(const ScoresArgs& a) {
  return {a.q, a.k, a.k, a.q_stride, a.k_stride, a.k_stride, a.out, 1, 0, 1, 1, a.batch, a.scratch};
}
inline AttentionArgs as_fused(const ValuesArgs& a) {
  return {a.v, a.v, a.v, a.v_stride, a.v_stride, a.v_stride, a.out, 1, 0, 1, 1, a.batch, a.scratch};
}

inline int64_t step_row(const AttentionProblem& p, const QueryBlock& block, int64_t i) {
  return (block.item * p.tokens + block.row + i) * pitch(p.tokens);
}

// Zeros from the first key that a row does not see; what is past the row's pitch may be written, up to a whole pair of vectors.
inline void clear_unseen(float* s, int64_t seen, int64_t columns) {
  for (int64_t j = seen; j < ceil_div(columns, 2 * Native::kLanes) * 2 * Native::kLanes; ++j) s[j] = 0;
}

inline void run_scores_f32(const AttentionProblem& p, const ScoresArgs& a, int thread, int threads) {
  const Layout l = layout(p);
  const AttentionArgs fused = as_fused(a);
  auto* scratch = static_cast<float*>(a.scratch);
  float *q = scratch + l.q, *s = scratch + l.s;
  const Range mine = share(block_count(p, fused, kQueryBlock), thread, threads);
  int64_t packed = -1;
  for (int64_t index = mine.begin; index < mine.end; ++index) {
    const QueryBlock block = block_at(p, index, kQueryBlock);
    if (block.item != packed) pack_head(p, fused, l, block.item, scratch);
    packed = block.item;
    const int64_t rows = ceil_div(block.rows, kTall) * kTall;
    for (int64_t i = 0; i < block.rows; ++i)
      decode(p.in, a.q, source_index(p, block.item, block.row + i, a.q_stride), p.head_dim, q + i * p.head_dim);
    for (int64_t i = block.rows * p.head_dim; i < rows * p.head_dim; ++i) q[i] = 0;
    multiply(q, p.head_dim, scratch + l.k, p.head_dim, rows, p.head_dim, block.keys, s, l.s_stride);
    for (int64_t i = 0; i < block.rows; ++i) {
      clear_unseen(s + i * l.s_stride, visible(p, block, i), pitch(p.tokens));
      finish_values(p.out, s + i * l.s_stride, pitch(p.tokens), a.scale, a.out, step_row(p, block, i));
    }
  }
}

inline void run_softmax_f32(const AttentionProblem& p, const SoftmaxArgs& a, int thread, int threads) {
  constexpr float kLog2e = 1.44269504f;
  const int64_t columns = pitch(p.tokens), padded = ceil_div(columns, 2 * V::kLanes) * 2 * V::kLanes;
  auto* s = static_cast<float*>(a.scratch);
  float* mask = s + padded;
  AttentionArgs fused{};
  fused.mask = a.mask;
  const Range mine = share(a.batch * p.heads * p.tokens, thread, threads);
  int64_t masked = -1;
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    const int64_t item = row / p.tokens, keys = p.causal ? row % p.tokens + 1 : p.tokens;
    decode(p.in, a.in, row * columns, keys, s);
    if (p.mask != Mask::kNone) {
      if (item / p.heads != masked) load_mask(p, fused, item, mask);
      masked = item / p.heads;
      add_mask(s, mask, keys);
    }
    const float sum = exponentiate(s, keys, padded, largest_of(s, keys), kLog2e);
    finish_values(p.out, s, columns, a.inv_scale / sum, a.out, row * columns);
  }
}

inline void run_values_f32(const AttentionProblem& p, const ValuesArgs& a, int thread, int threads) {
  const Layout l = layout(p);
  const AttentionArgs fused = as_fused(a);
  auto* scratch = static_cast<float*>(a.scratch);
  float *s = scratch + l.s, *o = scratch + l.o;
  const Range mine = share(block_count(p, fused, kQueryBlock), thread, threads);
  int64_t packed = -1;
  for (int64_t index = mine.begin; index < mine.end; ++index) {
    const QueryBlock block = block_at(p, index, kQueryBlock);
    if (block.item != packed) pack_head(p, fused, l, block.item, scratch);
    packed = block.item;
    for (int64_t i = 0; i < block.rows; ++i) {
      const int64_t seen = visible(p, block, i);
      decode(p.in, a.p, step_row(p, block, i), seen, s + i * l.s_stride);
      for (int64_t j = seen; j < block.keys; ++j) s[i * l.s_stride + j] = 0;
    }
    multiply(s, l.s_stride, scratch + l.v, p.tokens, ceil_div(block.rows, kTall) * kTall, block.keys, p.head_dim, o, l.o_stride);
    for (int64_t i = 0; i < block.rows; ++i)
      finish_values(p.out, o + i * l.o_stride, p.head_dim, a.scale, a.out, target_index(p, block.item, block.row + i));
  }
}

}  // namespace
}  // namespace octet::cpu

// The entries of one instruction set.
#define OCTET_ATTENTION_STEPS(isa)                                                                   \
  namespace octet::cpu {                                                                             \
  size_t scratch_steps_##isa(const AttentionProblem& p) { return attention_f32_scratch(p); }         \
  void run_scores_##isa(const AttentionProblem& p, const ScoresArgs& a, int thread, int threads) {   \
    run_scores_f32(p, a, thread, threads);                                                           \
  }                                                                                                  \
  void run_softmax_##isa(const AttentionProblem& p, const SoftmaxArgs& a, int thread, int threads) { \
    run_softmax_f32(p, a, thread, threads);                                                          \
  }                                                                                                  \
  void run_values_##isa(const AttentionProblem& p, const ValuesArgs& a, int thread, int threads) {   \
    run_values_f32(p, a, thread, threads);                                                           \
  }                                                                                                  \
  }
