// Clip: the only bounded activation of the supported models.
#pragma once
#include "ir/op.h"

namespace octet {

// y = min(max(x, low), high); inputs x, min (optional), max (optional), both scalars; NaN stays.
//   T1: min and max have the type of x.  T2: a float, i8, i32 or i64.  S1: min and max hold one element.
struct Clip {
  static constexpr std::string_view kName = "Clip";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
