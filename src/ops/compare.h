// Comparisons and boolean algebra of two broadcast operands.
#pragma once
#include "ir/op.h"

namespace octet {

enum class Compare { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kAnd, kOr };
inline constexpr std::string_view kCompareNames[] = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or"};

// y = a OP b, a boolean, with NumPy broadcasting. Comparisons with NaN are false.
//   T1: both operands have the same type.  T2: comparisons take numbers (Equal also booleans), And and Or take booleans.
//   S1: the shapes broadcast.
// Symbolic elements are compared where the answer holds for every size: batch == -1 is false, batch == batch is true.
template <Compare kKind>
struct Comparison {
  static constexpr std::string_view kName = kCompareNames[static_cast<int>(kKind)];
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};
using Equal = Comparison<Compare::kEqual>;
using Less = Comparison<Compare::kLess>;
using LessOrEqual = Comparison<Compare::kLessOrEqual>;
using Greater = Comparison<Compare::kGreater>;
using GreaterOrEqual = Comparison<Compare::kGreaterOrEqual>;
using And = Comparison<Compare::kAnd>;
using Or = Comparison<Compare::kOr>;

extern template struct Comparison<Compare::kEqual>;
extern template struct Comparison<Compare::kLess>;
extern template struct Comparison<Compare::kLessOrEqual>;
extern template struct Comparison<Compare::kGreater>;
extern template struct Comparison<Compare::kGreaterOrEqual>;
extern template struct Comparison<Compare::kAnd>;
extern template struct Comparison<Compare::kOr>;

}  // namespace octet
