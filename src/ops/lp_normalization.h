// LpNormalization: what makes an embedding a unit vector.
#pragma once
#include "ir/op.h"

namespace octet {

// y = x / norm_p(x along axis); a zero norm gives zeros. Computed in f64, rounded once.
//   T1: x is a float.  A1: p is 1 or 2.  S1: axis in [-rank, rank).
struct LpNormalization {
  static constexpr std::string_view kName = "LpNormalization";
  int64_t axis = -1;
  int64_t p = 2;
  static void fields(auto& self, auto&& visit) {
    visit("axis", self.axis);
    visit("p", self.p);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
