// Comparisons and boolean algebra: one generic walk, the operation given as a function.
#include "ops/compare.h"

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

constexpr bool is_logic(Compare kind) { return kind == Compare::kAnd || kind == Compare::kOr; }

template <Compare kKind, class T>
bool apply(T a, T b) {
  switch (kKind) {
    case Compare::kEqual:
      return a == b;
    case Compare::kLess:
      return a < b;
    case Compare::kLessOrEqual:
      return a <= b;
    case Compare::kGreater:
      return a > b;
    case Compare::kGreaterOrEqual:
      return a >= b;
    case Compare::kAnd:
      return a != 0 && b != 0;
    case Compare::kOr:
      return a != 0 || b != 0;
  }
}

std::optional<bool> negate(std::optional<bool> answer) { return answer ? std::optional(!*answer) : std::nullopt; }

std::optional<bool> decide(Compare kind, const Dim& a, const Dim& b) {
  switch (kind) {
    case Compare::kEqual:
      return ops::equals(a, b);
    case Compare::kLess:
      return ops::less(a, b);
    case Compare::kLessOrEqual:
      return negate(ops::less(b, a));
    case Compare::kGreater:
      return ops::less(b, a);
    case Compare::kGreaterOrEqual:
      return negate(ops::less(a, b));
    case Compare::kAnd:
      return a != Dim(0) && b != Dim(0);  // booleans are always numbers
    case Compare::kOr:
      return a != Dim(0) || b != Dim(0);
  }
  return std::nullopt;
}

template <Compare kKind, class Read>
void combine(HostTensor& out, const HostTensor& a, const HostTensor& b) {
  const Read x(a), y(b);
  const ops::IntWriter write(out);
  ops::walk(out.dims(), std::array{ops::broadcast_strides(a.dims(), out.dims()), ops::broadcast_strides(b.dims(), out.dims())},
            [&](int64_t i, const std::array<int64_t, 2>& at) { write(i, apply<kKind>(x[at[0]], y[at[1]])); });
}

}  // namespace

template <Compare kKind>
std::vector<Inferred> Comparison<kKind>::infer(InferContext& context) const {
  ops::same_dtype(context, "T1", 0, 2);
  const DType dtype = context.in(0).type.dtype;
  if constexpr (is_logic(kKind)) ops::check_dtype(context, "T2", 0, dtype == DType::boolean, "a boolean", DType::boolean);
  else {
    const bool allowed = is_float(dtype) || is_integer(dtype) || (kKind == Compare::kEqual && dtype == DType::boolean);
    ops::check_dtype(context, "T2", 0, allowed, "a number", DType::f32);
  }
  Shape shape = ops::broadcast_inputs(context, "S1", 0, 2);
  auto elements = ops::combine_elements(context.in(0), context.in(1), [](const Dim& a, const Dim& b) -> std::optional<Dim> {
    const auto answer = decide(kKind, a, b);
    return answer ? std::optional(Dim(*answer)) : std::nullopt;
  });
  return {ops::output(context, DType::boolean, std::move(shape), std::move(elements))};
}

template <Compare kKind>
std::vector<HostTensor> Comparison<kKind>::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (is_float(in[0]->dtype())) combine<kKind, ops::Reader>(out[0], *in[0], *in[1]);
  else combine<kKind, ops::IntReader>(out[0], *in[0], *in[1]);
  return out;
}

template struct Comparison<Compare::kEqual>;
template struct Comparison<Compare::kLess>;
template struct Comparison<Compare::kLessOrEqual>;
template struct Comparison<Compare::kGreater>;
template struct Comparison<Compare::kGreaterOrEqual>;
template struct Comparison<Compare::kAnd>;
template struct Comparison<Compare::kOr>;

}  // namespace octet
