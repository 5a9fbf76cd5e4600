// scores[i,j] = (sum_d q[i,d] * k[j,d]) * score_scale, j <= i only if causal; p = softmax over j in f32;
// p_scale > 0 (FP8): p = e4m3(p / p_scale) * p_scale, with p already divided by its row's sum;
// out[i,d] = round((sum_j p[i,j] * v[j,d]) * v_scale * inv_out_scale).
// score_scale holds q.scale * k.scale * the graph's own. Element [b, s, h, d] of q lies at q + (b * tokens + s) * q_stride +
// h * head_dim + d (elements), k and v likewise; out is dense [b, tokens, heads * head_dim]. With p_scale == 0 (f16, bf16) p is rounded
// once to the input type or kept in f32. in: e4m3, f16, bf16 or f32; out: in's type, or e4m3, or (in e4m3) f16 / bf16.
#pragma once
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

struct AttentionProblem {
  DType in = DType::e4m3, out = DType::e4m3;
  int64_t tokens = 0, heads = 0, head_dim = 0;
  bool causal = false, quantize_p = false;
  bool aligned = true;  // every row of q, k and v begins at a multiple of 16 bytes
};
struct AttentionArgs {
  Address q = 0, k = 0, v = 0, out = 0;
  int64_t q_stride = 0, k_stride = 0, v_stride = 0;  // elements between tokens
  float score_scale = 1, p_scale = 0, v_scale = 1, inv_out_scale = 1;
  int64_t batch = 0;
  bool backward = false;  // begin with the last items (kernel.h)
};
using AttentionKernel = KernelRow<AttentionProblem, AttentionArgs>;
std::span<const AttentionKernel> attention_kernels();  // best first; the last accepts everything

}  // namespace octet::cuda
