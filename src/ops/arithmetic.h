// Arithmetic of two broadcast operands, and Min / Max of any number of them. Rules shared by all operators: rules.h.
#pragma once
#include "ir/op.h"

namespace octet {

enum class Arith { kAdd, kSub, kMul, kDiv, kPow };
inline constexpr std::string_view kArithNames[] = {"Add", "Sub", "Mul", "Div", "Pow"};

// y = a OP b with NumPy broadcasting. Integers wrap; Div truncates toward zero and refuses a zero divisor at run time.
//   T1: both operands have the same type, nothing is promoted; only Pow's exponent has a type of its own, y that of the base.
//   T2: each is a float, i32 or i64.  S1: the shapes broadcast.
// Floats are computed in f64 and rounded once. Integer scalars and vectors carry symbolic elements (dims.h).
template <Arith kKind>
struct Arithmetic {
  static constexpr std::string_view kName = kArithNames[static_cast<int>(kKind)];
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};
using Add = Arithmetic<Arith::kAdd>;
using Sub = Arithmetic<Arith::kSub>;
using Mul = Arithmetic<Arith::kMul>;
using Div = Arithmetic<Arith::kDiv>;
using Pow = Arithmetic<Arith::kPow>;

// y = min or max over one or more broadcast operands; a NaN wins.  T1: all operands have the same type.  T2: a float, i32 or i64.
//   S1: the shapes broadcast.
template <bool kLargest>
struct Extreme {
  static constexpr std::string_view kName = kLargest ? "Max" : "Min";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};
using Min = Extreme<false>;
using Max = Extreme<true>;

extern template struct Arithmetic<Arith::kAdd>;
extern template struct Arithmetic<Arith::kSub>;
extern template struct Arithmetic<Arith::kMul>;
extern template struct Arithmetic<Arith::kDiv>;
extern template struct Arithmetic<Arith::kPow>;
extern template struct Extreme<false>;
extern template struct Extreme<true>;

}  // namespace octet
