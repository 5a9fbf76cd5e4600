// Type and shape rules: violations are reported with the operand's name and one concrete fix.
#include "ops/rules.h"

#include <algorithm>

#include "base/error.h"
#include "ops/dims.h"

namespace octet::ops {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 40;

std::string cast_fix(InferContext& context, int i, DType to) {
  const DType from = context.in(i).type.dtype;
  if (is_float8(from) && is_float(to)) return fmt::format("insert DequantizeLinear after {}", context.input_name(i));
  if (context.in(i).constant != nullptr) return fmt::format("store the constant {} as {}", context.input_name(i), to);
  return fmt::format("insert Cast to {} after {}", to, context.input_name(i));
}

// Whether every element that is a number is one of `dtype`.
bool holds(DType dtype, const Shape& elements) {
  const auto inside = [&](int64_t low, int64_t high) {
    return std::all_of(elements.begin(), elements.end(),
                       [&](const Dim& d) { return !d.is_static() || (d.value >= low && d.value <= high); });
  };
  switch (dtype) {
    case DType::i64:
      return true;
    case DType::i32:
      return inside(INT32_MIN, INT32_MAX);
    case DType::i8:
      return inside(INT8_MIN, INT8_MAX);
    case DType::u8:
      return inside(0, UINT8_MAX);
    case DType::boolean:
      return all_static(elements) && inside(0, 1);
    default:
      return false;
  }
}

}  // namespace

bool check(InferContext& context, bool holds, std::string_view rule, std::string what, std::string fix) {
  if (!holds) context.violation(rule, std::move(what), std::move(fix));
  return holds;
}

bool same_dtype(InferContext& context, std::string_view rule, int first, int last) {
  const DType wanted = context.in(first).type.dtype;
  bool same = true;
  for (int i = first + 1; i < last; ++i) {
    const Operand* operand = context.input(i);
    if (operand == nullptr || operand->type.dtype == wanted) continue;
    same = false;
    const bool change_first = context.in(first).constant != nullptr && operand->constant == nullptr;
    context.violation(rule,
                      fmt::format("the operands must have one type, but {} is {} and {} is {}", context.input_name(first), wanted,
                                  context.input_name(i), operand->type.dtype),
                      change_first ? cast_fix(context, first, operand->type.dtype) : cast_fix(context, i, wanted));
  }
  return same;
}

bool check_dtype(InferContext& context, std::string_view rule, int i, bool allowed, std::string_view wanted, DType instead) {
  if (allowed) return true;
  context.violation(rule, fmt::format("{} must be {}, but is {}", context.input_name(i), wanted, context.in(i).type.dtype),
                    cast_fix(context, i, instead));
  return false;
}

bool float_input(InferContext& context, std::string_view rule, int i) {
  return check_dtype(context, rule, i, is_float(context.in(i).type.dtype), "a float", DType::f32);
}

bool number_input(InferContext& context, std::string_view rule, int i) {
  const DType dtype = context.in(i).type.dtype;
  return check_dtype(context, rule, i, is_float(dtype) || dtype == DType::i32 || dtype == DType::i64, "a float, i32 or i64", DType::f32);
}

bool index_input(InferContext& context, std::string_view rule, int i) {
  const DType dtype = context.in(i).type.dtype;
  return check_dtype(context, rule, i, dtype == DType::i32 || dtype == DType::i64, "i32 or i64", DType::i64);
}

bool i64_input(InferContext& context, std::string_view rule, int i) {
  return check_dtype(context, rule, i, context.in(i).type.dtype == DType::i64, "i64", DType::i64);
}

bool no_codes(InferContext& context, std::string_view rule, int i) {
  return check_dtype(context, rule, i, !is_float8(context.in(i).type.dtype), "dequantized before its elements are picked or repeated",
                     DType::f32);
}

std::optional<int64_t> normalize_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

std::optional<std::vector<int64_t>> normalize_axes(const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<bool> seen(static_cast<size_t>(rank));
  std::vector<int64_t> out;
  for (const int64_t axis : axes) {
    const auto normal = normalize_axis(axis, rank);
    if (!normal || seen[static_cast<size_t>(*normal)]) return std::nullopt;
    seen[static_cast<size_t>(*normal)] = true;
    out.push_back(*normal);
  }
  return out;
}

std::optional<int64_t> checked_axis(InferContext& context, std::string_view rule, int64_t axis, int64_t rank) {
  const auto normal = normalize_axis(axis, rank);
  if (!normal) context.violation(rule, fmt::format("axis {} is outside [{}, {})", axis, -rank, rank));
  return normal;
}

std::optional<Shape> known_elements(const Operand* operand) {
  if (operand == nullptr || operand->type.shape.size() > 1) return std::nullopt;
  const DType dtype = operand->type.dtype;
  if (!is_integer(dtype) && dtype != DType::boolean) return std::nullopt;
  if (operand->shape_value != nullptr) return *operand->shape_value;
  if (operand->constant == nullptr || operand->constant->count() > kMaxElements) return std::nullopt;
  Shape elements;
  for (int64_t i = 0; i < operand->constant->count(); ++i) elements.emplace_back(operand->constant->at_int(i));
  return elements;
}

std::optional<std::vector<int64_t>> known_ints(const Operand* operand) {
  const auto elements = known_elements(operand);
  if (!elements || !all_static(*elements)) return std::nullopt;
  std::vector<int64_t> out;
  for (const Dim& dim : *elements) out.push_back(dim.value);
  return out;
}

std::optional<int64_t> known_length(const Operand& operand) {
  if (operand.type.shape.size() != 1 || !operand.type.shape[0].is_static()) return std::nullopt;
  return operand.type.shape[0].value;
}

std::optional<int64_t> known_count(const Operand& operand) {
  if (operand.type.shape.empty()) return 1;
  return known_length(operand);
}

std::optional<std::vector<int64_t>> checked_axes(InferContext& context, std::string_view rule, int i, const std::vector<int64_t>& attribute,
                                                 int64_t rank) {
  std::vector<int64_t> axes = attribute;
  if (const Operand* operand = context.input(i)) {
    auto known = known_ints(operand);
    if (!check(context, known.has_value(), rule, fmt::format("{} must be known when the model is compiled", context.input_name(i)),
               fmt::format("make {} a constant vector", context.input_name(i))))
      return std::nullopt;
    axes = std::move(*known);
  }
  auto normal = normalize_axes(axes, rank);
  if (!normal) context.violation(rule, fmt::format("axes [{}] are repeated or outside [{}, {})", fmt::join(axes, ","), -rank, rank));
  return normal;
}

Shape broadcast_inputs(InferContext& context, std::string_view rule, int first, int last) {
  Shape out = context.in(first).type.shape;
  for (int i = first + 1; i < last; ++i) {
    const Shape& shape = context.in(i).type.shape;
    auto wider = broadcast(out, shape);
    if (!wider) {
      context.violation(rule,
                        fmt::format("the shapes {} and {} of {} do not broadcast", to_string(out), to_string(shape), context.input_name(i)),
                        "make each axis equal, or 1 on one side");
      return context.in(first).type.shape;
    }
    out = std::move(*wider);
  }
  return out;
}

Inferred output(InferContext& context, DType dtype, Shape shape, std::optional<Shape> shape_value) {
  const auto count = count_of(shape);
  if (!count || count->value > kMaxBytes / static_cast<int64_t>(size_of(dtype))) {
    context.violation("size", fmt::format("an output {}{} would have more than 2^40 bytes", dtype, to_string(shape)));
    shape.assign(shape.size(), Dim(1));
    shape_value.reset();
  }
  if (shape_value && (shape.size() > 1 || static_cast<int64_t>(shape_value->size()) > kMaxElements || !holds(dtype, *shape_value)))
    shape_value.reset();
  return {{dtype, std::move(shape)}, std::move(shape_value)};
}

Inferred like_input(InferContext& context, int i) {
  const Operand& operand = context.in(i);
  return {operand.type, operand.shape_value == nullptr ? std::nullopt : std::optional(*operand.shape_value)};
}

}  // namespace octet::ops
