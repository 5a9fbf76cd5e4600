// Attention unfused: the three steps that a framework without a fused kernel runs, each a pass over memory (any S).
//
// scores   out[h * tokens + i, j] = round((sum_d q[i,d] * k[j,d]) * scale)
// softmax  p = softmax over the keys a query sees, statistics in f32; out = round(p * inv_scale); kMaskedScore is added to the scores of
//          keys with mask[b,j] == 0
// values   out[i, h * head_dim + d] = round((sum_j p[h * tokens + i, j] * v[j,d]) * scale)
//
// Scores and weights of an item are [heads * tokens, pitch(tokens)]. Keys that a query does not see (j > i if causal) and the columns
// past `tokens` are zeros, and are not read. q, k, v and out lie as in attention.h. Products are exact, also of f16 and f16; sums are
// in f32.
#pragma once
#include "cpu/kernels/attention/attention.h"

namespace octet::cpu {

// Columns of a row of scores or weights: rows begin at multiples of 8 elements.
constexpr int64_t pitch(int64_t tokens) { return (tokens + 7) / 8 * 8; }

// An AttentionProblem says the shape of all three. in: of q and k; of the scores; of the weights and v. quantize_p is not used.
struct ScoresArgs {
  const void *q, *k;
  int64_t q_stride, k_stride;
  void* out;
  float scale;
  int64_t batch;
  void* scratch;  // this thread's scratch_bytes(), 64-byte aligned
};
struct SoftmaxArgs {
  const void* in;
  void* out;
  float inv_scale;
  int64_t batch;
  void* scratch;
  const void* mask = nullptr;  // [batch, tokens], unless Mask::kNone
};
struct ValuesArgs {
  const void *p, *v;
  int64_t v_stride;
  void* out;
  float scale;
  int64_t batch;
  void* scratch;
};
template <class Args>
struct AttentionStepKernel {
  std::string_view name;  // scores_<in>_<out>_<compute>_<isa>
  uint32_t isa;
  Refusal (*accepts)(const AttentionProblem&);
  size_t (*scratch_bytes)(const AttentionProblem&);
  void (*run)(const AttentionProblem&, const Args&, int thread, int threads);
};
using ScoresKernel = AttentionStepKernel<ScoresArgs>;
using SoftmaxKernel = AttentionStepKernel<SoftmaxArgs>;
using ValuesKernel = AttentionStepKernel<ValuesArgs>;
// Best first; the last of each accepts everything.
std::span<const ScoresKernel> scores_kernels();
std::span<const SoftmaxKernel> softmax_kernels();
std::span<const ValuesKernel> values_kernels();

}  // namespace octet::cpu
