// Reductions and ArgMax.
#include "ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

constexpr bool picks(Reduction kind) { return kind == Reduction::kMax || kind == Reduction::kMin; }

template <Reduction kKind, class T>
T identity() {
  if constexpr (kKind == Reduction::kProd) return 1;
  if constexpr (kKind == Reduction::kMax)
    return std::is_same_v<T, double> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  if constexpr (kKind == Reduction::kMin)
    return std::is_same_v<T, double> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  return 0;
}

template <Reduction kKind>
double accumulate(double so_far, double x) {
  if constexpr (kKind == Reduction::kProd) return so_far * x;
  if constexpr (kKind == Reduction::kL2) return so_far + x * x;
  if constexpr (kKind == Reduction::kMax) return std::isnan(so_far) || so_far > x ? so_far : x;
  if constexpr (kKind == Reduction::kMin) return std::isnan(so_far) || so_far < x ? so_far : x;
  return so_far + x;
}
template <Reduction kKind>
int64_t accumulate(int64_t so_far, int64_t x) {
  const auto a = static_cast<uint64_t>(so_far), b = static_cast<uint64_t>(x);
  if constexpr (kKind == Reduction::kProd) return static_cast<int64_t>(a * b);
  if constexpr (kKind == Reduction::kL2) return static_cast<int64_t>(a + b * b);
  if constexpr (kKind == Reduction::kMax) return std::max(so_far, x);
  if constexpr (kKind == Reduction::kMin) return std::min(so_far, x);
  return static_cast<int64_t>(a + b);
}

template <Reduction kKind, class T>
T finish(T total, int64_t count) {
  if constexpr (kKind == Reduction::kMean) return total / static_cast<T>(count);
  if constexpr (kKind == Reduction::kL2 && std::is_same_v<T, double>) return std::sqrt(total);
  else if constexpr (kKind == Reduction::kL2) return static_cast<T>(std::sqrt(static_cast<double>(static_cast<uint64_t>(total))));
  return total;
}

// The axes to reduce as a mask; none given means all.
std::vector<bool> mask(std::vector<int64_t> axes, size_t rank) {
  std::vector<bool> reduced(rank, axes.empty());
  for (const int64_t axis : axes) reduced[static_cast<size_t>(axis)] = true;
  return reduced;
}

Shape reduced_shape(const Shape& shape, const std::vector<bool>& reduced, bool keepdims) {
  Shape out;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!reduced[i]) out.push_back(shape[i]);
    else if (keepdims) out.emplace_back(1);
  }
  return out;
}

// One output element a walk over the reduced axes.
template <Reduction kKind, class T, class Read, class Write>
void reduce(HostTensor& out, const HostTensor& in, const std::vector<bool>& reduced) {
  const Read x(in);
  const Write write(out);
  std::vector<int64_t> kept, summed, kept_strides, summed_strides;
  const auto strides = ops::strides_of(in.dims());
  for (size_t i = 0; i < reduced.size(); ++i) {
    (reduced[i] ? summed : kept).push_back(in.dims()[i]);
    (reduced[i] ? summed_strides : kept_strides).push_back(strides[i]);
  }
  const int64_t count = ops::product_of(summed, 0, summed.size());
  if (out.count() > 0 && count == 0 && (picks(kKind) || kKind == Reduction::kMean))
    fail(Code::kInvalid, "{} of no elements: {}", kReductionNames[static_cast<int>(kKind)], describe(in));
  ops::walk(kept, std::array{kept_strides}, [&](int64_t i, const std::array<int64_t, 1>& base) {
    T total = identity<kKind, T>();
    ops::walk(summed, std::array{summed_strides},
              [&](int64_t, const std::array<int64_t, 1>& at) { total = accumulate<kKind>(total, x[base[0] + at[0]]); });
    write(i, finish<kKind>(total, count));
  });
}

}  // namespace

template <Reduction kKind>
std::vector<Inferred> Reduce<kKind>::infer(InferContext& context) const {
  const Operand& x = context.in(0);
  const DType dtype = x.type.dtype;
  const bool small = picks(kKind) && is_integer(dtype);
  if (!small) ops::number_input(context, "T1", 0);
  if (context.input(1) != nullptr) ops::i64_input(context, "T2", 1);
  const auto over = ops::checked_axes(context, "S1", 1, axes, static_cast<int64_t>(x.type.shape.size()));
  if (!over || (over->empty() && noop_with_empty_axes != 0)) return {ops::like_input(context)};
  std::optional<Shape> elements;
  if (kKind == Reduction::kProd && x.type.shape.size() == 1)
    if (auto all = ops::known_elements(&x); all && std::all_of(all->begin(), all->end(), [](const Dim& d) { return d.value >= 0; }))
      elements = Shape{ops::product_dim(*all)};
  return {ops::output(context, dtype, reduced_shape(x.type.shape, mask(*over, x.type.shape.size()), keepdims != 0), std::move(elements))};
}

template <Reduction kKind>
std::vector<HostTensor> Reduce<kKind>::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const HostTensor* given = ops::optional_input(in, 1);
  const auto over = *ops::normalize_axes(given == nullptr ? axes : ops::integers(*given), in[0]->rank());
  if (over.empty() && noop_with_empty_axes != 0) return {*in[0]};
  const auto reduced = mask(over, in[0]->dims().size());
  if (is_float(out[0].dtype())) reduce<kKind, double, ops::Reader, ops::Writer>(out[0], *in[0], reduced);
  else reduce<kKind, int64_t, ops::IntReader, ops::IntWriter>(out[0], *in[0], reduced);
  return out;
}

template struct Reduce<Reduction::kMean>;
template struct Reduce<Reduction::kSum>;
template struct Reduce<Reduction::kMax>;
template struct Reduce<Reduction::kMin>;
template struct Reduce<Reduction::kProd>;
template struct Reduce<Reduction::kL2>;

std::vector<Inferred> ArgMax::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  ops::check_dtype(context, "T1", 0, is_float(x.dtype) || is_integer(x.dtype), "a number", DType::f32);
  const auto at = ops::checked_axis(context, "S1", axis, static_cast<int64_t>(x.shape.size()));
  if (!at) return {{{DType::i64, x.shape}, {}}};
  ops::check(context, x.shape[static_cast<size_t>(*at)] != Dim(0), "S2", fmt::format("axis {} of {} is empty", *at, to_string(x.shape)));
  return {ops::output(context, DType::i64, reduced_shape(x.shape, mask({*at}, x.shape.size()), keepdims != 0))};
}

std::vector<HostTensor> ArgMax::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto [outer, size, inner] = ops::around(in[0]->dims(), *ops::normalize_axis(axis, in[0]->rank()));
  const auto find = [&, size = size, inner = inner](const auto& x) {  // clang 14 captures no structured binding by itself
    for (int64_t slice = 0; slice < out[0].count(); ++slice) {
      const int64_t begin = slice / inner * size * inner + slice % inner;
      int64_t best = 0;
      for (int64_t i = 1; i < size; ++i) {
        const auto largest = x[begin + best * inner], value = x[begin + i * inner];
        if (value > largest || (select_last_index != 0 && value == largest)) best = i;
      }
      out[0].set_int(slice, best);
    }
  };
  if (is_float(in[0]->dtype())) find(ops::Reader(*in[0]));
  else find(ops::IntReader(*in[0]));
  return out;
}

}  // namespace octet
