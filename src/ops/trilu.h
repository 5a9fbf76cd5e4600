// Trilu and CumSum: the operators of mask arithmetic.
#pragma once
#include "ir/op.h"

namespace octet {

// y = the upper (upper != 0: column >= row + k) or lower (column <= row + k) triangle of the last two axes, 0 elsewhere;
// k: optional i64 scalar, default 0.  T1: k is i64.  S1: rank >= 2.  S2: k holds one element.
struct Trilu {
  static constexpr std::string_view kName = "Trilu";
  int64_t upper = 1;
  static void fields(auto& self, auto&& visit) { visit("upper", self.upper); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y = running sums of x along the axis given by the integer scalar input 1; exclusive: without the element itself;
// reverse: from the end. Floats in f64, each output rounded once; integers wrap.
//   T1: x is a float, i32 or i64.  T2: axis is i32 or i64.  S1: axis holds one element; a constant one is in range.
struct CumSum {
  static constexpr std::string_view kName = "CumSum";
  int64_t exclusive = 0;
  int64_t reverse = 0;
  static void fields(auto& self, auto&& visit) {
    visit("exclusive", self.exclusive);
    visit("reverse", self.reverse);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
