// Trilu and CumSum.
#include "ops/trilu.h"

#include <algorithm>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

bool is_one_element(const Operand& operand) { return ops::count_of(operand.type.shape) == ops::Monomial{}; }

template <class T, class Read, class Write>
void running_sums(HostTensor& out, const HostTensor& in, const ops::Around& view, bool exclusive, bool reverse) {
  const Read x(in);
  const Write write(out);
  for (int64_t slice = 0; slice < view.outer * view.inner; ++slice) {
    const int64_t begin = slice / view.inner * view.size * view.inner + slice % view.inner;
    T total = 0;
    for (int64_t n = 0; n < view.size; ++n) {
      const int64_t i = begin + (reverse ? view.size - 1 - n : n) * view.inner;
      const T before = total;
      total += static_cast<T>(x[i]);
      if constexpr (std::is_same_v<T, double>) write(i, exclusive ? before : total);
      else write(i, static_cast<int64_t>(exclusive ? before : total));
    }
  }
}

}  // namespace

std::vector<Inferred> Trilu::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  ops::check(context, x.shape.size() >= 2, "S1", fmt::format("{} has no last two axes", to_string(x.shape)));
  if (const Operand* k = context.input(1)) {
    ops::i64_input(context, "T1", 1);
    ops::check(context, is_one_element(*k), "S2", fmt::format("{} is not one element", context.input_name(1)));
  }
  return {ops::output(context, x.dtype, x.shape)};
}

std::vector<HostTensor> Trilu::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto& dims = in[0]->dims();
  const int64_t rows = dims[dims.size() - 2], columns = dims.back();
  if (out[0].count() == 0) return out;
  const HostTensor* given = ops::optional_input(in, 1);
  const int64_t k = std::clamp<int64_t>(given == nullptr ? 0 : given->at_int(0), -rows - 1, columns + 1);
  const auto size = static_cast<int64_t>(size_of(out[0].dtype()));
  std::byte* to = out[0].mutable_data();
  const std::byte* from = in[0]->bytes().data();
  for (int64_t line = 0; line < out[0].count() / columns; ++line) {
    const int64_t diagonal = line % rows + k;
    const int64_t begin = upper != 0 ? std::clamp<int64_t>(diagonal, 0, columns) : 0;
    const int64_t end = upper != 0 ? columns : std::clamp<int64_t>(diagonal + 1, 0, columns);
    if (begin < end)
      std::memcpy(to + (line * columns + begin) * size, from + (line * columns + begin) * size, static_cast<size_t>((end - begin) * size));
  }
  return out;
}

std::vector<Inferred> CumSum::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  const Operand& axis = context.in(1);
  ops::number_input(context, "T1", 0);
  ops::index_input(context, "T2", 1);
  const auto rank = static_cast<int64_t>(x.shape.size());
  const auto known = ops::known_ints(&axis);
  if (ops::check(context, is_one_element(axis), "S1", fmt::format("{} is not one element", context.input_name(1))) && known)
    ops::checked_axis(context, "S1", known->at(0), rank);
  return {ops::output(context, x.dtype, x.shape)};
}

std::vector<HostTensor> CumSum::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (out[0].count() == 0) return out;
  const auto axis = ops::normalize_axis(in[1]->at_int(0), in[0]->rank());
  if (!axis) fail(Code::kInvalid, "axis {} is outside the axes of {}", in[1]->at_int(0), describe(*in[0]));
  const auto view = ops::around(in[0]->dims(), *axis);
  if (is_float(out[0].dtype())) running_sums<double, ops::Reader, ops::Writer>(out[0], *in[0], view, exclusive != 0, reverse != 0);
  else running_sums<uint64_t, ops::IntReader, ops::IntWriter>(out[0], *in[0], view, exclusive != 0, reverse != 0);
  return out;
}

}  // namespace octet
