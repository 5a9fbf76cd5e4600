// Attention unfused, as three steps of a plan (plan::Scores, Softmax, Values): each a launch with its own output in device memory.
//   scores   out[h * tokens + i, j] = round((q[i] . k[j]) * scale)
//   softmax  out = round(softmax(in) * scale) over the keys that a query sees, in f32
//   values   out[i, h * head_dim + d] = round((p[h * tokens + i] . v[:, d]) * scale)
// Scores and weights of an item are [heads * tokens, tokens rounded up to 8]; keys that a query does not see and columns past `tokens` are
// zeros, and are not read. q, k, v and out lie as in attention.h. Accumulated in f32. Next: attention_unfused.cu, attention_steps_simt.cu.
#pragma once
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

struct AttentionStepProblem {
  DType in = DType::f16, out = DType::f16;  // of q and k; of the scores; of the weights and v
  int64_t tokens = 0, heads = 0, head_dim = 0;
  bool causal = false;
  bool aligned = true;  // every row of q, k and v begins at a multiple of 16 bytes
};
struct AttentionStepArgs {
  Address a = 0, b = 0, out = 0;       // q and k; scores; weights and v
  int64_t a_stride = 0, b_stride = 0;  // elements between tokens, of q, k and v
  float scale = 1;
  int64_t batch = 0;
};
using AttentionStepKernel = KernelRow<AttentionStepProblem, AttentionStepArgs>;
std::span<const AttentionStepKernel> scores_kernels();  // best first; the last of each accepts everything but long softmaxes
std::span<const AttentionStepKernel> softmax_kernels();
std::span<const AttentionStepKernel> values_kernels();

}  // namespace octet::cuda
