// Conv in two dimensions.
#pragma once
#include "ir/op.h"

namespace octet {

// y[b,o,i,j] = bias[o] + sum_{c,u,v} x[b, c, i*strides[0] - pads[0] + u*dilations[0], ...] * w[o, c, u, v], x being 0
// outside; c runs over the o-th group's channels. x: [B,C,H,W], w: [O, C/group, kH, kW], bias (optional): [O].
// pads: [top, left, bottom, right]. Exact products accumulated in f64, rounded once.
//   T1: x, w and bias have the same type.  T2: f32, f16 or bf16.
//   S1: x and w have rank 4.  S2: C = group * w[1], group divides O.  S3: bias is [O].  S4: the kernel fits the padded
//   input.  A1: attribute lengths and ranges: strides, dilations >= 1, pads >= 0, kernel_shape = w's, auto_pad one of
//   NOTSET VALID SAME_UPPER SAME_LOWER.
struct Conv {
  static constexpr std::string_view kName = "Conv";
  std::string auto_pad = "NOTSET";
  std::vector<int64_t> dilations = {}, kernel_shape = {}, pads = {}, strides = {};  // empty: 1s, w's, 0s, 1s
  int64_t group = 1;
  static void fields(auto& self, auto&& visit) {
    visit("auto_pad", self.auto_pad);
    visit("dilations", self.dilations);
    visit("group", self.group);
    visit("kernel_shape", self.kernel_shape);
    visit("pads", self.pads);
    visit("strides", self.strides);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
