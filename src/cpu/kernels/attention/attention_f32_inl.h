// Attention in f32 FMAs over the native vector, for any dtype: the portable, AVX2 and AVX-512 rows. K and V of a head are decoded
// once into column panels two vectors wide, a block of query rows at a time is multiplied, exponentiated and multiplied again.
// The fast row is attention_amx.cpp.
#pragma once
#include "cpu/kernels/attention/attention_softmax_inl.h"

namespace octet::cpu {
namespace {

using V = Native;
constexpr int64_t kPanel = 2 * V::kLanes;                          // columns of a panel
constexpr int kTall = V::kLanes == 16 ? 8 : 6;                     // rows multiplied at a time: with the panel, what the registers hold
constexpr int64_t kQueryBlock = V::kLanes == 16 ? 32 : 6 * kTall;  // query rows at a time; 36 leave 1 of 258 rows empty at CLIP's 257

// Of a decoded row: not a multiple of a page, and what a whole last vector reaches.
inline int64_t row_floats(const AttentionProblem& p) { return ceil_div(p.head_dim, 16) * 16 + 16; }

// A thread's scratch, in floats. k: [panels of keys][head_dim][kPanel]; v: [panels of dims][tokens][kPanel]; row: a panel of decoded rows.
struct Layout {
  int64_t k, v, q, s, o, row, mask, total, s_stride, o_stride;
};
inline Layout layout(const AttentionProblem& p) {
  const int64_t keys = ceil_div(p.tokens, kPanel) * kPanel, dims = ceil_div(p.head_dim, kPanel) * kPanel;
  Layout l{};
  l.s_stride = keys + 16;  // not a multiple of a page: rows must not share cache sets
  l.o_stride = dims + 16;
  l.v = l.k + keys * p.head_dim;
  l.q = l.v + dims * p.tokens;
  l.s = l.q + kQueryBlock * p.head_dim;
  l.o = l.s + kQueryBlock * l.s_stride;
  l.row = l.o + kQueryBlock * l.o_stride;
  l.mask = l.row + kPanel * row_floats(p);
  l.total = l.mask + mask_floats(p);
  return l;
}

inline void decode(DType type, const void* from, int64_t index, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += V::kLanes) {
    const auto mask = V::first(count - i);
    load_as(type, from, index + i, mask).store(to + i, mask);
  }
}

// A panel of keys is decoded row by row, then turned: what is written lies together.
inline void pack_keys(const AttentionProblem& p, const AttentionArgs& a, const Layout& l, int64_t item, float* scratch) {
  float* rows = scratch + l.row;
  const int64_t stride = row_floats(p);
  for (int64_t key = 0; key < p.tokens; key += kPanel) {
    const int64_t count = at_most(kPanel, p.tokens - key);
    for (int64_t i = 0; i < count; ++i) decode(p.in, a.k, source_index(p, item, key + i, a.k_stride), p.head_dim, rows + i * stride);
    float* to = scratch + l.k + key * p.head_dim;
    for (int64_t d = 0; d < p.head_dim; ++d, to += kPanel) {
      for (int64_t i = 0; i < count; ++i) to[i] = rows[i * stride + d];
      for (int64_t i = count; i < kPanel; ++i) to[i] = 0.0f;
    }
  }
}
inline void pack_values(const AttentionProblem& p, const AttentionArgs& a, const Layout& l, int64_t item, float* scratch) {
  for (int64_t token = 0; token < p.tokens; ++token)
    for (int64_t d = 0; d < p.head_dim; d += kPanel) {
      float* to = scratch + l.v + (d * p.tokens + token * kPanel);
      V::zero().store(to);
      V::zero().store(to + V::kLanes);
      decode(p.in, a.v, source_index(p, item, token, a.v_stride) + d, at_most(kPanel, p.head_dim - d), to);
    }
}
inline void pack_head(const AttentionProblem& p, const AttentionArgs& a, const Layout& l, int64_t item, float* scratch) {
  pack_keys(p, a, l, item, scratch);
  pack_values(p, a, l, item, scratch);
  if (p.mask != Mask::kNone) load_mask(p, a, item, scratch + l.mask);
}

// c[r][0..kPanel) = sum_k a[r][k] * b[k][...] for kTall rows.
inline void multiply_block(const float* a, int64_t a_stride, const float* b, int64_t depth, float* c, int64_t c_stride) {
  V sum[kTall][2];
  for (auto& row : sum) row[0] = row[1] = V::zero();
  for (int64_t k = 0; k < depth; ++k) {
    const V left = V::load(b + k * kPanel), right = V::load(b + k * kPanel + V::kLanes);
    for (int r = 0; r < kTall; ++r) {
      const V x = V::set(a[r * a_stride + k]);
      sum[r][0] = fma(x, left, sum[r][0]);
      sum[r][1] = fma(x, right, sum[r][1]);
    }
  }
  for (int r = 0; r < kTall; ++r) {
    sum[r][0].store(c + r * c_stride);
    sum[r][1].store(c + r * c_stride + V::kLanes);
  }
}

// c[rows][cols] = a[rows][depth] * b, b in panels of `panel_depth` rows.
inline void multiply(const float* a, int64_t a_stride, const float* b, int64_t panel_depth, int64_t rows, int64_t depth, int64_t cols,
                     float* c, int64_t c_stride) {
  for (int64_t n = 0; n < cols; n += kPanel)
    for (int64_t r = 0; r < rows; r += kTall)
      multiply_block(a + r * a_stride, a_stride, b + n * panel_depth, depth, c + r * c_stride + n, c_stride);
}

inline void attend(const AttentionProblem& p, const AttentionArgs& a, const QueryBlock& block, const Layout& l, float* scratch) {
  float *q = scratch + l.q, *s = scratch + l.s, *o = scratch + l.o, finish[kQueryBlock];
  const int64_t rows = ceil_div(block.rows, kTall) * kTall;
  const float sign = scales_of(a).negate ? -1.0f : 1.0f;
  for (int64_t i = 0; i < rows; ++i) {
    if (i < block.rows) decode(p.in, a.q, source_index(p, block.item, block.row + i, a.q_stride), p.head_dim, q + i * p.head_dim);
    for (int64_t d = 0; d < p.head_dim; ++d) q[i * p.head_dim + d] = i < block.rows ? q[i * p.head_dim + d] * sign : 0.0f;
  }
  multiply(q, p.head_dim, scratch + l.k, p.head_dim, rows, p.head_dim, block.keys, s, l.s_stride);
  softmax(p, a, block, s, l.s_stride, V::kLanes, scratch + l.mask, finish);
  multiply(s, l.s_stride, scratch + l.v, p.tokens, rows, block.keys, p.head_dim, o, l.o_stride);
  for (int64_t i = 0; i < block.rows; ++i) finish_row(p, o + i * l.o_stride, finish[i], a.out, target_index(p, block.item, block.row + i));
}

inline size_t attention_f32_scratch(const AttentionProblem& p) { return static_cast<size_t>(layout(p).total) * sizeof(float); }

inline void run_attention_f32(const AttentionProblem& p, const AttentionArgs& a, int thread, int threads) {
  const Layout l = layout(p);
  const Range mine = share(block_count(p, a, kQueryBlock), thread, threads);
  auto* scratch = static_cast<float*>(a.scratch);
  int64_t packed = -1;
  for (int64_t index = mine.begin; index < mine.end; ++index) {
    const QueryBlock block = block_at(p, index, kQueryBlock);
    if (block.item != packed) pack_head(p, a, l, block.item, scratch);
    packed = block.item;
    attend(p, a, block, l, scratch);
  }
}

}  // namespace
}  // namespace octet::cpu
