// Whole-row fused attention for short sequences (any S; head_dim 16..128, multiple of 8).
//
// scores[i,j] = (sum_d q[i,d] * k[j,d]) * score_scale, j <= i only if causal; p = softmax over j in f32, whole row at once;
// p_scale > 0 (FP8): p = e4m3(p * (1 / p_scale)) * p_scale; out[i,d] = round((sum_j p[i,j] * v[j,d]) * v_scale * inv_out_scale).
// Keys with mask[b,j] == 0 get kMaskedScore added to their scaled score: weight 0, unless every key of the item has it.
// score_scale here already holds q.scale * k.scale * the graph's own scale. Products exact for 8- and 16-bit inputs, f32
// accumulation. With p_scale == 0 (f16 / bf16 inputs): p is kept in f32, or rounded once to the input dtype (kernel's choice, both
// inside the tolerance of the f16 graph). Element [b, s, h, d] of q lies at q + (b * tokens + s) * q_stride + h * head_dim + d
// (elements, any dtype); k and v likewise; out at (b * tokens + s) * heads * head_dim + h * head_dim + d.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "numeric/dtype.h"

namespace octet::cpu {

enum class Mask { kNone, kI32, kI64 };
inline constexpr float kMaskedScore = -0x1p126f;

struct AttentionProblem {
  DType in = DType::e4m3, out = DType::e4m3;
  int64_t tokens = 0, heads = 0, head_dim = 0;
  bool causal = false;
  bool quantize_p = false;
  Mask mask = Mask::kNone;
};
struct AttentionArgs {
  const void *q, *k, *v;
  int64_t q_stride, k_stride, v_stride;  // elements between tokens
  void* out;
  float score_scale, p_scale, v_scale, inv_out_scale;
  int64_t batch;
  void* scratch;               // this thread's scratch_bytes(), 64-byte aligned
  const void* mask = nullptr;  // [batch, tokens], unless Mask::kNone
};
struct AttentionKernel {
  std::string_view name;  // attention_<in>_<out>_<compute>_<isa>
  uint32_t isa;
  Refusal (*accepts)(const AttentionProblem&);
  size_t (*scratch_bytes)(const AttentionProblem&);
  void (*run)(const AttentionProblem&, const AttentionArgs&, int thread, int threads);  // shares (batch, head) pairs
};
std::span<const AttentionKernel> attention_kernels();  // best first; the last accepts everything

}  // namespace octet::cpu
