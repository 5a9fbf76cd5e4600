// ConvTranspose in two dimensions.
#pragma once
#include "ir/op.h"

namespace octet {

// The gradient of a Conv: every x[b,c,p,q] * w[c,o,u,v] is added to y[b, o, p*strides[0] - pads[0] + u*dilations[0], ...], and bias[o]
// to all. x: [B,C,H,W], w: [C, O/group, kH, kW], bias (optional): [O]. pads: [top, left, bottom, right]. y's size along an axis is
// strides*(in-1) + output_padding + (k-1)*dilations + 1 - pads before and after. Exact products accumulated in f64, rounded once.
//   T1: x, w and bias have the same type.  T2: f32, f16 or bf16.
//   S1: x and w have rank 4.  S2: C = w[0], divided by group.  S3: bias is [O].  S4: y is not empty.
//   A1: attribute lengths and ranges: strides, dilations >= 1, pads, output_padding >= 0, kernel_shape = w's, auto_pad is NOTSET and
//   output_shape is not given.
struct ConvTranspose {
  static constexpr std::string_view kName = "ConvTranspose";
  std::string auto_pad = "NOTSET";
  std::vector<int64_t> dilations = {}, kernel_shape = {}, output_padding = {}, output_shape = {}, pads = {}, strides = {};
  int64_t group = 1;
  static void fields(auto& self, auto&& visit) {
    visit("auto_pad", self.auto_pad);
    visit("dilations", self.dilations);
    visit("group", self.group);
    visit("kernel_shape", self.kernel_shape);
    visit("output_padding", self.output_padding);
    visit("output_shape", self.output_shape);
    visit("pads", self.pads);
    visit("strides", self.strides);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
