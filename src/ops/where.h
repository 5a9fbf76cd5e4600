// Where: choice by a mask.
#pragma once
#include "ir/op.h"

namespace octet {

// y = condition ? a : b with NumPy broadcasting of all three; bits are copied.
//   T1: the condition is boolean.  T2: a and b have the same type.  T3: they are not f8.  S1: the shapes broadcast.
struct Where {
  static constexpr std::string_view kName = "Where";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
