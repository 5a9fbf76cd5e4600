// Slice, opset 10.
#pragma once
#include "ir/op.h"

namespace octet {

// y = data[starts:ends:steps] on `axes`; inputs data, starts, ends, axes (optional: 0, 1, ...), steps (optional: 1).
// Negative bounds count from the end, both are clamped, as in Python.
//   T1: starts, ends, axes and steps are i32 or i64.  T2: data is not f8.
//   S1: they are vectors of one length, and axes and steps are known.  S2: axes in range and not repeated.  S3: steps are not 0.
struct Slice {
  static constexpr std::string_view kName = "Slice";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
