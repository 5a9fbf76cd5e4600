// What type and shape rules are made of. The rules follow TensorRT's strong typing: operands of one type, nothing promoted.
// Every result also obeys one rule named "size": at most 2^40 bytes, whatever the symbols. Next: dims.h, elements.h.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"

namespace octet::ops {

// Inputs [first, last) that are present must have the type of input `first`. Reports each that has not; true if all have.
bool same_dtype(InferContext& context, std::string_view rule, int first, int last);
// Input i must be `allowed`; `wanted` says what that is ("a float"), `instead` the type to cast to.
bool check_dtype(InferContext& context, std::string_view rule, int i, bool allowed, std::string_view wanted, DType instead);
bool float_input(InferContext& context, std::string_view rule, int i);
bool number_input(InferContext& context, std::string_view rule, int i);  // a float, i32 or i64
bool index_input(InferContext& context, std::string_view rule, int i);   // i32 or i64
bool i64_input(InferContext& context, std::string_view rule, int i);
// Input i must not be f8: as in ONNX and TensorRT, codes are dequantized before elements are picked or repeated.
bool no_codes(InferContext& context, std::string_view rule, int i);
bool check(InferContext& context, bool holds, std::string_view rule, std::string what, std::string fix = {});

// [-rank, rank) to [0, rank); nullopt outside.
std::optional<int64_t> normalize_axis(int64_t axis, int64_t rank);
std::optional<std::vector<int64_t>> normalize_axes(const std::vector<int64_t>& axes, int64_t rank);  // nullopt also for repeats
// The same, reporting a violation.
std::optional<int64_t> checked_axis(InferContext& context, std::string_view rule, int64_t axis, int64_t rank);

// The elements of an integer or boolean scalar or vector of at most kMaxElements, if known. A null operand: nullopt.
inline constexpr int64_t kMaxElements = 1024;
std::optional<Shape> known_elements(const Operand* operand);
std::optional<std::vector<int64_t>> known_ints(const Operand* operand);  // all of them numbers
// f(a[i], b[i]) -> std::optional<Dim> over the known elements of two scalars or vectors, one element pairing with all.
template <class F>
std::optional<Shape> combine_elements(const Operand& a, const Operand& b, F f) {
  const auto x = known_elements(&a), y = known_elements(&b);
  if (!x || !y || (x->size() != y->size() && x->size() != 1 && y->size() != 1)) return std::nullopt;
  Shape out;
  for (size_t i = 0; i < (x->size() == 1 ? y->size() : x->size()); ++i) {
    auto element = f((*x)[x->size() == 1 ? 0 : i], (*y)[y->size() == 1 ? 0 : i]);
    if (!element) return std::nullopt;
    out.push_back(*element);
  }
  return out;
}
// f(element) -> std::optional<Dim> likewise.
template <class F>
std::optional<Shape> map_elements(const Operand& a, F f) {
  return combine_elements(a, a, [&](const Dim& x, const Dim&) { return f(x); });
}
// The length of a vector operand, if known; nullopt also for another rank.
std::optional<int64_t> known_length(const Operand& operand);
// The number of elements of a scalar or vector, if known.
std::optional<int64_t> known_count(const Operand& operand);
// The axes of an operator whose axes are input `i` or, in older opsets, an attribute: empty if neither is given. Reports and
// returns nullopt if they are unknown, out of range of `rank` or repeated.
std::optional<std::vector<int64_t>> checked_axes(InferContext& context, std::string_view rule, int i, const std::vector<int64_t>& attribute,
                                                 int64_t rank);

// Broadcast of inputs [first, last); a violation gives the shape of `first`.
Shape broadcast_inputs(InferContext& context, std::string_view rule, int first, int last);

// One output, its size checked. Element values that the type cannot hold are dropped.
Inferred output(InferContext& context, DType dtype, Shape shape, std::optional<Shape> shape_value = {});
// Input 0's own type: what a rule returns after a violation, and of operators that keep shape and type.
Inferred like_input(InferContext& context, int i = 0);

}  // namespace octet::ops
