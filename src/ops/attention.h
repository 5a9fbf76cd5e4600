// Attention, opset 23 and 24, without a cache of past keys.
#pragma once
#include "ir/op.h"
#include "ops/constant.h"

namespace octet {

// y[b,h,s,:] = sum_t softmax_t(c(scale * q[b,h,s,:] . k[b,g,t,:]) + mask[b,h,s,t]) v[b,g,t,:], g = h / (heads / kv_heads), and
// c(x) = softcap * tanh(x / softcap), or x where softcap is 0. Inputs q, k, v, mask (optional): [B, heads, S, d], or [B, S, heads * d] with
// the counts of heads as attributes. A boolean mask lets t take part where it is true, another is added; where it is shorter than the keys,
// those beyond it are hidden. is_causal hides t > s. A row of hidden keys alone gives zeros. Computed in f64, rounded once.
//   T1: q, k and v have the same type.  T2: a float.  T3: the mask is boolean or has that type.  A1: is_causal is 0 or 1, softcap >= 0,
//   softmax_precision 0, 1, 10, 11 or 16.  S1: q, k and v have rank 4, or rank 3 and counts of heads that divide their last axis.
//   S2: they agree in batch, keys and head size, and kv_heads divides heads.  S3: the mask broadcasts to [B, heads, S, T] without growing
//   it.
// A past or present (inputs 4 to 6, outputs 1 to 3) is not supported.
struct Attention {
  static constexpr std::string_view kName = "Attention";
  int64_t is_causal = 0;
  int64_t kv_num_heads = 0;  // of rank 3; 0: not given
  int64_t q_num_heads = 0;   // likewise
  int64_t qk_matmul_output_mode = 0;
  float scale = Constant::kNoFloat;  // not given: 1 / sqrt(d)
  float softcap = 0;
  int64_t softmax_precision = 0;  // ONNX number; 0: not given. The softmax is computed in f64 in any case
  static void fields(auto& self, auto&& visit) {
    visit("is_causal", self.is_causal);
    visit("kv_num_heads", self.kv_num_heads);
    visit("q_num_heads", self.q_num_heads);
    visit("qk_matmul_output_mode", self.qk_matmul_output_mode);
    visit("scale", self.scale);
    visit("softcap", self.softcap);
    visit("softmax_precision", self.softmax_precision);
  }
  double scale_of(int64_t head_size) const;
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
