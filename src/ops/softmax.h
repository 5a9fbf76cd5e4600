// Softmax, opset 13.
#pragma once
#include "ir/op.h"

namespace octet {

// y = exp(x - max) / sum(exp(x - max)) along `axis`, in f64, rounded once. A slice of -infinity alone gives NaN.
//   T1: x is a float.  S1: axis in [-rank, rank).
struct Softmax {
  static constexpr std::string_view kName = "Softmax";
  int64_t axis = -1;
  static void fields(auto& self, auto&& visit) { visit("axis", self.axis); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
