// Reshape, Flatten, Squeeze, Unsqueeze.
#include "ops/reshape.h"

#include <algorithm>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// The same elements under other dimensions.
Inferred same_elements(InferContext& context, Shape shape) {
  return ops::output(context, context.in(0).type.dtype, std::move(shape), ops::known_elements(&context.in(0)));
}

template <class T>
std::vector<HostTensor> same_bytes(const T& op, ops::Inputs in) {
  const auto out = ops::make_outputs(op, in);
  return {in[0]->reshaped(out[0].dims())};
}

// The requested dimensions with zeros replaced by data's; nullopt after a violation. -1 stays.
std::optional<Shape> requested(InferContext& context, const Shape& from, const Shape& wanted, bool allowzero) {
  Shape out;
  int computed = 0;
  bool zero = false, negative = false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    Dim dim = wanted[i];
    if (dim == Dim(0) && !allowzero) {
      if (!ops::check(context, i < from.size(), "S3", fmt::format("a 0 copies axis {} of data {}, which has none", i, to_string(from))))
        return std::nullopt;
      dim = from[i];
    }
    zero |= dim == Dim(0) && allowzero;
    computed += dim == Dim(-1);
    negative |= dim.value < 0 && dim != Dim(-1);
    out.push_back(std::move(dim));
  }
  if (!ops::check(context, computed <= 1 && !negative && !(zero && computed > 0), "S2",
                  fmt::format("{} is no shape: at most one -1, no other negative number, no -1 beside a size of 0", to_string(wanted))))
    return std::nullopt;
  return out;
}

// Fills in the -1 of `shape`, if any, and compares element counts; false after a violation.
bool balance(InferContext& context, const Shape& from, Shape& shape) {
  const auto hole = std::find(shape.begin(), shape.end(), Dim(-1));
  const auto whole = ops::count_of(from);
  const Dim before = hole == shape.end() ? Dim(1) : *hole;
  if (hole != shape.end()) *hole = 1;
  const auto part = ops::count_of(shape);
  bool fits = whole && part;
  if (fits && hole == shape.end()) fits = *whole == *part || whole->symbols != part->symbols;
  if (fits && hole != shape.end()) {
    const auto dim = part->value == 0 ? std::nullopt : ops::missing_factor(*whole, *part);
    fits = dim.has_value();
    if (dim) *hole = *dim;
  }
  if (!fits && hole != shape.end()) *hole = before;
  return ops::check(context, fits, "S4",
                    fmt::format("data {} cannot have the shape {}: the element counts differ", to_string(from), to_string(shape)));
}

}  // namespace

std::vector<Inferred> Reshape::infer(InferContext& context) const {
  const Operand &data = context.in(0), &target = context.in(1);
  ops::i64_input(context, "T1", 1);
  const auto wanted = ops::known_elements(&target);
  const auto length = ops::known_length(target);
  if (!ops::check(context, length && *length <= ops::kMaxElements, "S1",
                  fmt::format("{} is not a vector of known length", context.input_name(1)),
                  "give the shape as a constant or compute it from Shape"))
    return {{data.type, {}}};
  if (!wanted) {
    Shape unknown;
    for (int64_t i = 0; i < *length; ++i) unknown.push_back(fresh_dim());
    return {ops::output(context, data.type.dtype, std::move(unknown))};
  }
  auto shape = requested(context, data.type.shape, *wanted, allowzero != 0);
  if (!shape || !balance(context, data.type.shape, *shape)) return {{data.type, {}}};
  return {same_elements(context, std::move(*shape))};
}

std::vector<HostTensor> Reshape::reference(std::span<const HostTensor* const> in) const { return same_bytes(*this, in); }

std::vector<Inferred> Flatten::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  const auto rank = static_cast<int64_t>(x.shape.size());
  if (!ops::check(context, axis >= -rank && axis <= rank, "S1", fmt::format("axis {} is outside [{}, {}]", axis, -rank, rank)))
    return {{x, {}}};
  const auto at = x.shape.begin() + (axis < 0 ? axis + rank : axis);
  return {ops::output(context, x.dtype, {ops::product_dim(Shape(x.shape.begin(), at)), ops::product_dim(Shape(at, x.shape.end()))})};
}

std::vector<HostTensor> Flatten::reference(std::span<const HostTensor* const> in) const { return same_bytes(*this, in); }

std::vector<Inferred> Squeeze::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  const auto rank = static_cast<int64_t>(x.shape.size());
  if (context.input(1) != nullptr) ops::i64_input(context, "T1", 1);
  auto removed = ops::checked_axes(context, "S1", 1, axes, rank);
  if (!removed) return {{x, {}}};
  const bool all = context.input(1) == nullptr && axes.empty();
  Shape shape;
  for (int64_t i = 0; i < rank; ++i) {
    const Dim& dim = x.shape[static_cast<size_t>(i)];
    const bool named = std::find(removed->begin(), removed->end(), i) != removed->end();
    if (all)
      ops::check(context, dim.is_static(), "S1",
                 fmt::format("whether axis {} of {} goes depends on `{}`", i, to_string(x.shape), dim.symbol), "name the axes");
    if (named) ops::check(context, dim == Dim(1) || !dim.is_static(), "S2", fmt::format("axis {} of {} is not 1", i, to_string(x.shape)));
    if (!named && !(all && dim == Dim(1))) shape.push_back(dim);
  }
  return {same_elements(context, std::move(shape))};
}

std::vector<HostTensor> Squeeze::reference(std::span<const HostTensor* const> in) const { return same_bytes(*this, in); }

std::vector<Inferred> Unsqueeze::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  if (context.input(1) != nullptr) ops::i64_input(context, "T1", 1);
  const auto given = context.input(1) == nullptr ? std::optional(static_cast<int64_t>(axes.size())) : ops::known_count(*context.input(1));
  const auto added = ops::checked_axes(context, "S1", 1, axes, static_cast<int64_t>(x.shape.size()) + given.value_or(0));
  if (!added) return {{x, {}}};
  Shape shape(x.shape.size() + added->size(), Dim(-1));
  for (const int64_t axis : *added) shape[static_cast<size_t>(axis)] = 1;
  auto next = x.shape.begin();
  for (Dim& dim : shape)
    if (dim == Dim(-1)) dim = *next++;
  return {same_elements(context, std::move(shape))};
}

std::vector<HostTensor> Unsqueeze::reference(std::span<const HostTensor* const> in) const { return same_bytes(*this, in); }

}  // namespace octet
