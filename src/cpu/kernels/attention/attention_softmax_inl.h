// What all attention kernels share: how work is cut, and the softmax of one row of scores, over the native vector.
// Rows are independent and sums have one order, so results do not depend on the cut.
#pragma once
#include "base/thread_pool.h"
#include "cpu/kernels/attention/attention_rows.h"
#include "cpu/simd/native.h"

namespace octet::cpu {
namespace {

constexpr int64_t kQueryBlock = 32;  // query rows at a time: two tiles of 16

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

// A block of query rows of one (batch, head): rows [row, row + rows) against keys [0, keys).
struct QueryBlock {
  int64_t item, row, rows, keys;
};
// Blocks are counted through all items, so that threads share them evenly even for one picture and few heads.
inline int64_t block_count(const AttentionProblem& p, const AttentionArgs& a) {
  return a.batch * p.heads * ceil_div(p.tokens, kQueryBlock);
}
inline QueryBlock block_at(const AttentionProblem& p, int64_t index) {
  const int64_t blocks = ceil_div(p.tokens, kQueryBlock), row = index % blocks * kQueryBlock;
  const int64_t rows = at_most(kQueryBlock, p.tokens - row);
  return {index / blocks, row, rows, p.causal ? row + rows : p.tokens};
}
// Keys that row `i` of a block sees.
inline int64_t visible(const AttentionProblem& p, const QueryBlock& block, int64_t i) { return p.causal ? block.row + i + 1 : p.tokens; }

// First element of (item, token) in q, k or v, and in out.
inline int64_t source_index(const AttentionProblem& p, int64_t item, int64_t token, int64_t stride) {
  return (item / p.heads * p.tokens + token) * stride + item % p.heads * p.head_dim;
}
inline int64_t target_index(const AttentionProblem& p, int64_t item, int64_t token) {
  return source_index(p, item, token, p.heads * p.head_dim);
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

// s[j] = 2^((s[j] - max) * exponent) for j < valid and 0 up to `padded` (a multiple of the lanes); returns the sum.
inline float exponentiate_row(float* s, int64_t valid, int64_t padded, float exponent) {
  using V = Native;
  const int64_t whole = valid / V::kLanes * V::kLanes;
  const auto rest = V::first(valid - whole);
  V most = V::set(-__builtin_inff());
  for (int64_t j = 0; j < whole; j += V::kLanes) most = max(most, V::load(s + j));
  if (whole < valid) most = max(most, select(rest, V::load(s + whole), most));
  const V largest = V::set(max_of(most)), factor = V::set(exponent);
  V sum[2] = {V::zero(), V::zero()};
  for (int64_t j = 0; j < whole; j += V::kLanes) {
    const V e = exp2_nonpositive((V::load(s + j) - largest) * factor);
    e.store(s + j);
    sum[j / V::kLanes % 2] = sum[j / V::kLanes % 2] + e;
  }
  if (whole < valid) {
    const V e = select(rest, exp2_nonpositive((V::load(s + whole) - largest) * factor), V::zero());
    e.store(s + whole);
    sum[1] = sum[1] + e;
  }
  for (int64_t j = ceil_div(valid, V::kLanes) * V::kLanes; j < padded; j += V::kLanes) V::zero().store(s + j);
  return sum_of(sum[0] + sum[1]);
}

// out[i] = round(o[i] * factor)
inline void finish_row(const AttentionProblem& p, const float* o, float factor, void* out, int64_t index) {
  using V = Native;
  for (int64_t d = 0; d < p.head_dim; d += V::kLanes) {
    const auto mask = V::first(p.head_dim - d);
    store_as(p.out, out, index + d, V::load(o + d, mask) * V::set(factor), mask);
  }
}

}  // namespace
}  // namespace octet::cpu
