// Pad with a constant.
#pragma once
#include "ir/op.h"

namespace octet {

// y = data with pads[i] elements before and pads[n + i] after axes[i], filled with `constant_value` (default 0); negative
// pads crop. Inputs data, pads, constant_value (optional), axes (optional: all, opset 18).
//   T1: pads and axes are integers.  T2: constant_value has data's type.  A1: mode is "constant".
//   S1: pads is a known vector of twice the number of axes.  S2: axes are known, in range, not repeated.
//   S3: no dimension becomes negative.
struct Pad {
  static constexpr std::string_view kName = "Pad";
  std::string mode = "constant";
  static void fields(auto& self, auto&& visit) { visit("mode", self.mode); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
