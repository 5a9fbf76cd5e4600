// Functions of one operand.
#include "ops/unary.h"

#include <cmath>

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

template <Unary kKind>
double apply(double x) {
  if constexpr (kKind == Unary::kSqrt) return std::sqrt(x);
  if constexpr (kKind == Unary::kExp) return std::exp(x);
  if constexpr (kKind == Unary::kErf) return std::erf(x);
  if constexpr (kKind == Unary::kTanh) return std::tanh(x);
  if constexpr (kKind == Unary::kSigmoid) return 1 / (1 + std::exp(-x));
  if constexpr (kKind == Unary::kNeg) return -x;
  if constexpr (kKind == Unary::kReciprocal) return 1 / x;
  if constexpr (kKind == Unary::kRelu) return x < 0 ? 0 : x;
  return std::fabs(x);
}

template <Unary kKind>
int64_t apply(int64_t x) {
  if constexpr (kKind == Unary::kNot) return x == 0;
  if (kKind == Unary::kAbs && x >= 0) return x;
  return static_cast<int64_t>(0 - static_cast<uint64_t>(x));
}

template <Unary kKind>
std::optional<Dim> apply(const Dim& x) {
  if constexpr (kKind == Unary::kNot) return Dim(x == Dim(0));
  if (kKind == Unary::kAbs && x.value >= 0) return x;
  if (x.value == INT64_MIN) return std::nullopt;
  return Dim(-x.value, x.symbol);
}

template <Unary kKind>
constexpr bool kKeepsIntegers = kKind == Unary::kNeg || kKind == Unary::kAbs || kKind == Unary::kNot;

}  // namespace

template <Unary kKind>
std::vector<Inferred> UnaryFunction<kKind>::infer(InferContext& context) const {
  const Operand& x = context.in(0);
  const DType dtype = x.type.dtype;
  if constexpr (kKind == Unary::kIdentity) return {ops::output(context, dtype, x.type.shape, ops::known_elements(&x))};
  else if constexpr (kKind == Unary::kNot) ops::check_dtype(context, "T1", 0, dtype == DType::boolean, "a boolean", DType::boolean);
  else if constexpr (kKeepsIntegers<kKind>)
    ops::check_dtype(context, "T1", 0, is_float(dtype) || (is_integer(dtype) && dtype != DType::u8), "a float, i8, i32 or i64", DType::f32);
  else ops::float_input(context, "T1", 0);
  std::optional<Shape> elements;
  if constexpr (kKeepsIntegers<kKind>) elements = ops::map_elements(x, [](const Dim& d) { return apply<kKind>(d); });
  return {ops::output(context, kKind == Unary::kIsNaN ? DType::boolean : dtype, x.type.shape, std::move(elements))};
}

template <Unary kKind>
std::vector<HostTensor> UnaryFunction<kKind>::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const int64_t count = out[0].count();
  if constexpr (kKind == Unary::kIdentity) return {*in[0]};
  else if constexpr (kKind == Unary::kIsNaN) {
    const ops::Reader x(*in[0]);
    const ops::IntWriter write(out[0]);
    for (int64_t i = 0; i < count; ++i) write(i, std::isnan(x[i]));
    return out;
  } else if constexpr (kKeepsIntegers<kKind>) {
    if (!is_float(in[0]->dtype())) {
      const ops::IntReader x(*in[0]);
      const ops::IntWriter write(out[0]);
      for (int64_t i = 0; i < count; ++i) write(i, apply<kKind>(x[i]));
      return out;
    }
  }
  if constexpr (kKind != Unary::kNot) {
    const ops::Reader x(*in[0]);
    const ops::Writer write(out[0]);
    for (int64_t i = 0; i < count; ++i) write(i, apply<kKind>(x[i]));
  }
  return out;
}

template struct UnaryFunction<Unary::kSqrt>;
template struct UnaryFunction<Unary::kExp>;
template struct UnaryFunction<Unary::kErf>;
template struct UnaryFunction<Unary::kTanh>;
template struct UnaryFunction<Unary::kSigmoid>;
template struct UnaryFunction<Unary::kNeg>;
template struct UnaryFunction<Unary::kReciprocal>;
template struct UnaryFunction<Unary::kAbs>;
template struct UnaryFunction<Unary::kNot>;
template struct UnaryFunction<Unary::kIsNaN>;
template struct UnaryFunction<Unary::kRelu>;
template struct UnaryFunction<Unary::kIdentity>;

}  // namespace octet
