// ScatterND: masks and buffers as writers fill them in place.
#pragma once
#include "ir/op.h"

namespace octet {

// y = data with updates written, or combined, where the tuples of the last axis of `indices` point: coordinates into data's first axes.
// reduction none: the last update of a place wins; add, mul, max, min combine in order, each result rounded once to data's type.
//   T1: indices are i64.  T2: data and updates have the same type.  T3: it is not f8.  A1: reduction is one of those; of booleans none.
//   S1: the tuples are no longer than data's rank, and at least 1.  S2: updates have the shape of what is picked.
//   S3: constant indices lie in range.
struct ScatterND {
  static constexpr std::string_view kName = "ScatterND";
  std::string reduction = "none";
  static void fields(auto& self, auto&& visit) { visit("reduction", self.reduction); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
