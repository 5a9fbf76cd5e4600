// The step of attention.h in three launches with the scores in device memory, as frameworks without a fused kernel run it. A baseline
// to compare with: it runs where CudaOptions::rows names it (OCTET_CUDA_ROWS=attention_f16_unfused), else never.
//   scores: s[i,j] = (q[i] . k[j]) * score_scale * log2(e), accumulated and stored in f32: a score of 16 bits would stray beyond the
//           step's bound (oracle/attention.cpp), since the exponential makes its absolute error a relative one;
//   softmax: p[i,j] = 2^(s[i,j] - max) / sum in f32, rounded once to q's type, in place: the first half of each row of scores;
//   values: out[i] = round((p[i] . v) * v_scale * inv_out_scale), accumulated in f32.
#pragma once
#include "cuda/kernels/attention/attention.h"

namespace octet::cuda {

struct AttentionUnfusedProblem : AttentionProblem {
  bool aligned = false;  // every row of q, k and v of every head begins at a multiple of 16 bytes
};
struct AttentionUnfusedArgs : AttentionArgs {
  Address scores = 0;  // scratch, 256-byte aligned
};
size_t attention_scores_bytes(const AttentionProblem& problem, int64_t batch);

using AttentionUnfusedKernel = KernelRow<AttentionUnfusedProblem, AttentionUnfusedArgs>;
struct AttentionUnfusedRow {
  std::string_view name;
  AttentionUnfusedKernel scores, softmax, values;  // all three accept the same
};
std::span<const AttentionUnfusedRow> attention_unfused_rows();  // one a type

}  // namespace octet::cuda
