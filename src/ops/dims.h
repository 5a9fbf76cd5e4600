// Arithmetic of dimensions as rules need it: exact where a result is again linear in one symbol, "unknown" elsewhere. A
// symbol stands for any integer >= 0. Elements of shape vectors may be negative, dimensions of tensors never are.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "ir/types.h"

namespace octet::ops {

// nullopt: not expressible and possibly negative, or overflow. Not expressible but never negative: a fresh symbol.
std::optional<Dim> sum(const Dim& a, const Dim& b);
std::optional<Dim> difference(const Dim& a, const Dim& b);
std::optional<Dim> times(const Dim& a, const Dim& b);
std::optional<Dim> quotient(const Dim& a, const Dim& b);  // toward zero; nullopt for a divisor of 0
// Whether it holds for every value of the symbols; nullopt: it depends.
std::optional<bool> equals(const Dim& a, const Dim& b);
std::optional<bool> less(const Dim& a, const Dim& b);

// The dimension that a and b broadcast to; nullopt if they cannot. A number beside a symbol wins: the symbol must then be
// that number or 1 when the graph runs.
std::optional<Dim> broadcast(const Dim& a, const Dim& b);
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

// An element count: value * the product of `symbols` (sorted, repeated for powers; none if value is 0).
struct Monomial {
  int64_t value = 1;
  std::vector<std::string> symbols;
  bool operator==(const Monomial&) const = default;
};
std::optional<Monomial> count_of(const Shape& shape);  // nullopt above 2^62
Dim product_dim(const Shape& shape);                   // count_of as a dimension: a fresh symbol for two symbols or above 2^62
// The d with d * part == whole, as Reshape's -1 needs it: common symbols cancel; nullopt if no size gives an integer; what
// is no Dim (symbols left in `part`, two left in `whole`) becomes a fresh symbol. part.value != 0.
std::optional<Dim> missing_factor(Monomial whole, const Monomial& part);

}  // namespace octet::ops
