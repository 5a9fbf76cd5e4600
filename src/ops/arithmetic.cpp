// Arithmetic, Min, Max: one generic walk, the operation given as a function.
#include "ops/arithmetic.h"

#include <algorithm>
#include <cmath>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

// Repeated squaring, wrapping; a negative exponent truncates 1 / base^|e|.
int64_t power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) fail(Code::kInvalid, "0 to the power {} in integers", exponent);
    if (base == 1) return 1;
    if (base == -1) return exponent % 2 == 0 ? 1 : -1;
    return 0;
  }
  uint64_t result = 1, square = static_cast<uint64_t>(base);
  for (auto e = static_cast<uint64_t>(exponent); e != 0; e >>= 1, square *= square)
    if (e & 1) result *= square;
  return wrap(result);
}

// Toward zero, saturating; NaN gives 0.
int64_t truncate(double value) {
  if (std::isnan(value)) return 0;
  if (value >= 0x1p63) return INT64_MAX;
  return value < -0x1p63 ? INT64_MIN : static_cast<int64_t>(value);
}

template <Arith kKind>
int64_t apply(int64_t a, int64_t b) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  if constexpr (kKind == Arith::kAdd) return wrap(x + y);
  if constexpr (kKind == Arith::kSub) return wrap(x - y);
  if constexpr (kKind == Arith::kMul) return wrap(x * y);
  if constexpr (kKind == Arith::kPow) return power(a, b);
  if (b == 0) fail(Code::kInvalid, "division of the integer {} by 0", a);
  return b == -1 ? wrap(0 - x) : a / b;
}

template <Arith kKind>
double apply(double a, double b) {
  if constexpr (kKind == Arith::kAdd) return a + b;
  if constexpr (kKind == Arith::kSub) return a - b;
  if constexpr (kKind == Arith::kMul) return a * b;
  if constexpr (kKind == Arith::kPow) return std::pow(a, b);
  return a / b;
}

template <Arith kKind>
std::optional<Dim> apply(const Dim& a, const Dim& b) {
  if constexpr (kKind == Arith::kAdd) return ops::sum(a, b);
  if constexpr (kKind == Arith::kSub) return ops::difference(a, b);
  if constexpr (kKind == Arith::kMul) return ops::times(a, b);
  if constexpr (kKind == Arith::kDiv) return ops::quotient(a, b);
  return std::nullopt;
}

// The smaller or larger of two elements, where every value of the symbols gives the same answer.
template <bool kLargest>
std::optional<Dim> extreme(const Dim& a, const Dim& b) {
  if (a == b || ops::less(a, b) == !kLargest) return a;
  if (ops::less(b, a) == !kLargest) return b;
  return std::nullopt;
}

// A NaN wins.
template <bool kLargest>
double extreme(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) ? a : b;
  return (kLargest ? a < b : b < a) ? b : a;
}
template <bool kLargest>
int64_t extreme(int64_t a, int64_t b) {
  return kLargest ? std::max(a, b) : std::min(a, b);
}

// out[i] = f(a[..], b[..]) with broadcasting.
template <class Read, class Write, class F>
void combine(HostTensor& out, const HostTensor& a, const HostTensor& b, F f) {
  const Read x(a), y(b);
  const Write write(out);
  ops::walk(out.dims(), std::array{ops::broadcast_strides(a.dims(), out.dims()), ops::broadcast_strides(b.dims(), out.dims())},
            [&](int64_t i, const std::array<int64_t, 2>& at) { write(i, f(x[at[0]], y[at[1]])); });
}

}  // namespace

template <Arith kKind>
std::vector<Inferred> Arithmetic<kKind>::infer(InferContext& context) const {
  ops::number_input(context, "T2", 0);
  if constexpr (kKind == Arith::kPow) ops::number_input(context, "T2", 1);
  else ops::same_dtype(context, "T1", 0, 2);
  Shape shape = ops::broadcast_inputs(context, "S1", 0, 2);
  auto elements = ops::combine_elements(context.in(0), context.in(1), [](const Dim& a, const Dim& b) { return apply<kKind>(a, b); });
  return {ops::output(context, context.in(0).type.dtype, std::move(shape), std::move(elements))};
}

template <Arith kKind>
std::vector<HostTensor> Arithmetic<kKind>::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (is_float(out[0].dtype()))
    combine<ops::Reader, ops::Writer>(out[0], *in[0], *in[1], [](double a, double b) { return apply<kKind>(a, b); });
  else if (is_float(in[1]->dtype()))
    combine<ops::Reader, ops::IntWriter>(out[0], *in[0], *in[1], [](double a, double b) { return truncate(apply<kKind>(a, b)); });
  else combine<ops::IntReader, ops::IntWriter>(out[0], *in[0], *in[1], [](int64_t a, int64_t b) { return apply<kKind>(a, b); });
  return out;
}

template <bool kLargest>
std::vector<Inferred> Extreme<kLargest>::infer(InferContext& context) const {
  const int count = context.input_count();
  ops::same_dtype(context, "T1", 0, count);
  ops::number_input(context, "T2", 0);
  Shape shape = ops::broadcast_inputs(context, "S1", 0, count);
  std::optional<Shape> elements;
  if (count == 1) elements = ops::known_elements(context.input(0));
  if (count == 2)
    elements = ops::combine_elements(context.in(0), context.in(1), [](const Dim& a, const Dim& b) { return extreme<kLargest>(a, b); });
  return {ops::output(context, context.in(0).type.dtype, std::move(shape), std::move(elements))};
}

template <bool kLargest>
std::vector<HostTensor> Extreme<kLargest>::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  for (size_t n = 0; n < in.size(); ++n) {
    const HostTensor& so_far = n == 0 ? *in[0] : out[0];
    if (is_float(out[0].dtype()))
      combine<ops::Reader, ops::Writer>(out[0], so_far, *in[n], [](double a, double b) { return extreme<kLargest>(a, b); });
    else combine<ops::IntReader, ops::IntWriter>(out[0], so_far, *in[n], [](int64_t a, int64_t b) { return extreme<kLargest>(a, b); });
  }
  return out;
}

template struct Arithmetic<Arith::kAdd>;
template struct Arithmetic<Arith::kSub>;
template struct Arithmetic<Arith::kMul>;
template struct Arithmetic<Arith::kDiv>;
template struct Arithmetic<Arith::kPow>;
template struct Extreme<false>;
template struct Extreme<true>;

}  // namespace octet
