// Types of the graph: dimensions (static or linear in one symbol), shapes, tensor types. Next: ir/op.h, ir/graph.h.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "numeric/dtype.h"

namespace octet {

// value when `symbol` is empty, else value * symbol ("3*batch"). A dimension nobody can express gets a fresh symbol ("?7").
struct Dim {
  int64_t value = 0;
  std::string symbol;
  Dim() = default;
  Dim(int64_t v) : value(v) {}  // NOLINT: a number is a dimension
  Dim(int64_t factor, std::string s) : value(factor), symbol(std::move(s)) {}
  bool is_static() const { return symbol.empty(); }
  bool operator==(const Dim&) const = default;
};
using Shape = std::vector<Dim>;

Dim operator*(const Dim& a, const Dim& b);          // symbol * symbol gives a fresh symbol
std::optional<Dim> divide(const Dim& a, const Dim& b);  // exact quotients only
Dim product(const Shape& shape);
Dim fresh_dim();                                    // 1 * "?N", N unique in the process
bool all_static(const Shape& shape);
std::vector<int64_t> static_dims(const Shape& shape);  // OCTET_CHECKs all_static
Shape to_shape(const std::vector<int64_t>& dims);

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const TensorType&) const = default;
};

std::string to_string(const Dim& dim);              // "batch", "3*batch", "257"
std::string to_string(const Shape& shape);          // "[batch,257,1024]"
std::string to_string(const TensorType& type);      // "f16[batch,257,1024]"

}  // namespace octet
