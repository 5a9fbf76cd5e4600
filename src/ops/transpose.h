// Transpose.
#pragma once
#include "ir/op.h"

namespace octet {

// y's axis i is x's axis perm[i]; perm empty: the axes reversed.  S1: perm is a permutation of x's axes.
struct Transpose {
  static constexpr std::string_view kName = "Transpose";
  std::vector<int64_t> perm = {};
  static void fields(auto& self, auto&& visit) { visit("perm", self.perm); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
