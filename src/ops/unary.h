// Functions of one operand, element by element, and Identity.
#pragma once
#include "ir/op.h"

namespace octet {

enum class Unary { kSqrt, kExp, kErf, kTanh, kSigmoid, kNeg, kReciprocal, kAbs, kNot, kIsNaN, kRelu, kIdentity };
inline constexpr std::string_view kUnaryNames[] = {"Sqrt",       "Exp", "Erf", "Tanh",  "Sigmoid", "Neg",
                                                   "Reciprocal", "Abs", "Not", "IsNaN", "Relu",    "Identity"};

// y = f(x), same shape, same type (IsNaN: boolean). Floats are computed in f64 and rounded once; integers wrap.
//   T1: Sqrt Exp Erf Tanh Sigmoid Reciprocal IsNaN Relu take a float; Neg and Abs a float, i8, i32 or i64; Not a boolean;
//       Identity anything.
template <Unary kKind>
struct UnaryFunction {
  static constexpr std::string_view kName = kUnaryNames[static_cast<int>(kKind)];
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};
using Sqrt = UnaryFunction<Unary::kSqrt>;
using Exp = UnaryFunction<Unary::kExp>;
using Erf = UnaryFunction<Unary::kErf>;
using Tanh = UnaryFunction<Unary::kTanh>;
using Sigmoid = UnaryFunction<Unary::kSigmoid>;
using Neg = UnaryFunction<Unary::kNeg>;
using Reciprocal = UnaryFunction<Unary::kReciprocal>;
using Abs = UnaryFunction<Unary::kAbs>;
using Not = UnaryFunction<Unary::kNot>;
using IsNaN = UnaryFunction<Unary::kIsNaN>;
using Relu = UnaryFunction<Unary::kRelu>;  // max(x, 0); NaN stays NaN
using Identity = UnaryFunction<Unary::kIdentity>;

extern template struct UnaryFunction<Unary::kSqrt>;
extern template struct UnaryFunction<Unary::kExp>;
extern template struct UnaryFunction<Unary::kErf>;
extern template struct UnaryFunction<Unary::kTanh>;
extern template struct UnaryFunction<Unary::kSigmoid>;
extern template struct UnaryFunction<Unary::kNeg>;
extern template struct UnaryFunction<Unary::kReciprocal>;
extern template struct UnaryFunction<Unary::kAbs>;
extern template struct UnaryFunction<Unary::kNot>;
extern template struct UnaryFunction<Unary::kIsNaN>;
extern template struct UnaryFunction<Unary::kRelu>;
extern template struct UnaryFunction<Unary::kIdentity>;

}  // namespace octet
