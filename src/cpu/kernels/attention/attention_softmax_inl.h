// What all attention kernels share: how work is cut, and the softmax of one row of scores, over the native vector.
// Rows are independent and sums have one order, so results do not depend on the cut.
#pragma once
#include "base/thread_pool.h"
#include "cpu/kernels/attention/attention_rows.h"
#include "cpu/simd/native.h"

namespace octet::cpu {
namespace {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

// A block of query rows of one (batch, head): rows [row, row + rows) against keys [0, keys).
struct QueryBlock {
  int64_t item, row, rows, keys;
};
// Blocks of `height` rows are counted through all items, so that threads share them evenly even for one picture and few heads.
inline int64_t block_count(const AttentionProblem& p, const AttentionArgs& a, int64_t height) {
  return a.batch * p.heads * ceil_div(p.tokens, height);
}
inline QueryBlock block_at(const AttentionProblem& p, int64_t index, int64_t height) {
  const int64_t blocks = ceil_div(p.tokens, height), row = index % blocks * height;
  const int64_t rows = at_most(height, p.tokens - row);
  return {index / blocks, row, rows, p.causal ? row + rows : p.tokens};
}
// Keys that row `i` of a block sees.
inline int64_t visible(const AttentionProblem& p, const QueryBlock& block, int64_t i) { return p.causal ? block.row + i + 1 : p.tokens; }

// What to add to the scores of an item's keys before they are scaled: one line of floats more than there are tokens may be read.
inline int64_t mask_floats(const AttentionProblem& p) { return p.mask == Mask::kNone ? 0 : ceil_div(p.tokens, 32) * 32; }
inline void load_mask(const AttentionProblem& p, const AttentionArgs& a, int64_t item, float* to) {
  const int64_t first = item / p.heads * p.tokens;
  for (int64_t j = 0; j < mask_floats(p); ++j) {
    const int64_t at = first + (j < p.tokens ? j : 0);
    const bool seen = p.mask == Mask::kI32 ? static_cast<const int32_t*>(a.mask)[at] != 0 : static_cast<const int64_t*>(a.mask)[at] != 0;
    to[j] = seen ? 0.0f : kMaskedScore;
  }
}
// s[j] += mask[j] for the keys of a row; both are readable to a whole number of vectors.
inline void add_mask(float* s, const float* mask, int64_t keys) {
  for (int64_t j = 0; j < keys; j += Native::kLanes) (Native::load(s + j) + Native::load(mask + j)).store(s + j);
}

// First element of (item, token) in q, k or v, and in out.
inline int64_t source_index(const AttentionProblem& p, int64_t item, int64_t token, int64_t stride) {
  return (item / p.heads * p.tokens + token) * stride + item % p.heads * p.head_dim;
}
inline int64_t target_index(const AttentionProblem& p, int64_t item, int64_t token) {
  return source_index(p, item, token, p.heads * p.head_dim);
}

// A token's rows of a head to L2. Called for the next head, a few at a time: its rows lie 3 * heads * head_dim apart, which hardware does
// not foresee.
inline void prefetch_token(const AttentionProblem& p, const AttentionArgs& a, int64_t item, int64_t token) {
  if (item >= a.batch * p.heads) return;
  const auto size = static_cast<int64_t>(size_of(p.in));
  const auto ask = [&](const void* base, int64_t stride) {
    const char* row = static_cast<const char*>(base) + source_index(p, item, token, stride) * size;
    for (int64_t at = 0; at < p.head_dim * size; at += 64) __builtin_prefetch(row + at, 0, 2);
  };
  ask(a.k, a.k_stride), ask(a.v, a.v_stride), ask(a.q, a.q_stride);
}

// A negative score scale is applied as a negated q, so that the largest score is the largest product.
struct Scales {
  bool negate;
  float exponent;  // |score_scale| * log2(e)
};
inline Scales scales_of(const AttentionArgs& a) {
  const bool negate = a.score_scale < 0;
  return {negate, (negate ? -a.score_scale : a.score_scale) * 1.44269504f};
}

// The largest of s[0 .. valid). NaN or not if there is a NaN: exponentiate() meets it again.
inline float largest_of(const float* s, int64_t valid) {
  using V = Native;
  const int64_t whole = valid / V::kLanes * V::kLanes;
  V most = V::set(-__builtin_inff());
  for (int64_t j = 0; j < whole; j += V::kLanes) most = max(most, V::load(s + j));
  if (whole < valid) most = max(most, select(V::first(valid - whole), V::load(s + whole), most));
  return max_of(most);
}

// s[j] = 2^((s[j] - largest) * exponent) for j < valid and 0 up to `padded` (a multiple of the lanes); returns the sum.
// As s * exponent - largest * exponent in one fma: the rounding of the second term is common to the row and cancels in the softmax.
inline float exponentiate(float* s, int64_t valid, int64_t padded, float largest, float exponent) {
  using V = Native;
  const int64_t ceiling = ceil_div(valid, V::kLanes) * V::kLanes;
  const auto rest = V::first(valid + V::kLanes - ceiling);
  if (!(__builtin_fabsf(largest * exponent) < 0x1p8f)) {  // it would be more than 2^-17: subtract first
    for (int64_t j = 0; j < ceiling; j += V::kLanes) (V::load(s + j) - V::set(largest)).store(s + j);
    largest = 0;
  }
  const V factor = V::set(exponent), shift = V::set(-largest * exponent);
  V sum = V::zero();
  for (int64_t j = 0; j + V::kLanes < ceiling; j += V::kLanes) {
    const V e = exp2_nonpositive(fma(V::load(s + j), factor, shift));
    e.store(s + j);
    sum = sum + e;
  }
  const int64_t last = ceiling - V::kLanes;
  const V e = select(rest, exp2_nonpositive(fma(V::load(s + last), factor, shift)), V::zero());
  e.store(s + last);
  for (int64_t j = ceiling; j < padded; j += V::kLanes) V::zero().store(s + j);
  return sum_of(sum + e);
}

// Scores to weights, row by row, zeros up to the next multiple of `pad` (of the lanes) keys; finish[i] is what output row i is multiplied
// with in the end.
inline void softmax(const AttentionProblem& p, const AttentionArgs& a, const QueryBlock& block, float* s, int64_t s_stride, int64_t pad,
                    const float* mask, float* finish) {
  using V = Native;
  const int64_t padded = ceil_div(block.keys, pad) * pad;
  for (int64_t i = 0; i < block.rows; ++i, s += s_stride) {
    const int64_t keys = visible(p, block, i);
    prefetch_token(p, a, block.item + 1, block.row + i);
    if (p.mask != Mask::kNone) add_mask(s, mask, keys);
    const float sum = exponentiate(s, keys, padded, largest_of(s, keys), scales_of(a).exponent);
    finish[i] = a.v_scale * a.inv_out_scale * (p.quantize_p ? a.p_scale : 1.0f / sum);
    if (!p.quantize_p) continue;
    const V factor = V::set(1.0f / a.p_scale / sum);
    for (int64_t j = 0; j < padded; j += V::kLanes) nearest_e4m3(V::load(s + j) * factor).store(s + j);
  }
}

// out[d] = round(o[d] * factor) for head_dim values; o is readable up to a whole number of vector pairs.
template <DType kType>
inline void finish_row_as(const float* o, int64_t head_dim, float factor, void* out, int64_t index) {
  using V = Native;
  const V scale = V::set(kType == DType::e4m3 ? factor * V::kE4m3Unit : factor);
  for (int64_t d = 0; d < head_dim; d += 2 * V::kLanes)
    store_pair<kType>(out, index + d, V::load(o + d) * scale, V::load(o + d + V::kLanes) * scale, head_dim - d);
}
inline void finish_values(DType type, const float* o, int64_t count, float factor, void* out, int64_t index) {
  if (type == DType::e4m3) return finish_row_as<DType::e4m3>(o, count, factor, out, index);
  if (type == DType::f16) return finish_row_as<DType::f16>(o, count, factor, out, index);
  if (type == DType::bf16) return finish_row_as<DType::bf16>(o, count, factor, out, index);
  finish_row_as<DType::f32>(o, count, factor, out, index);
}
inline void finish_row(const AttentionProblem& p, const float* o, float factor, void* out, int64_t index) {
  finish_values(p.out, o, p.head_dim, factor, out, index);
}

}  // namespace
}  // namespace octet::cpu
