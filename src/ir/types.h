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

Dim operator*(const Dim& a, const Dim& b);  // symbol * symbol gives a fresh symbol; overflow throws Error{kInvalid}
// Exact quotients only; a symbol by itself cancels (a run with it = 0 has no elements to place). By 0: no quotient.
std::optional<Dim> divide(const Dim& a, const Dim& b);
Dim product(const Shape& shape);  // of the static factors first; 0 wins over every symbol
Dim fresh_dim();                  // 1 * "?N", N unique in the process; see FreshDims
// While one lives, this thread's fresh_dim() gives "?nN" for N = first, first + 1, ...: names that depend on the graph alone.
class FreshDims {
 public:
  explicit FreshDims(int64_t first);
  ~FreshDims();
  FreshDims(const FreshDims&) = delete;
  FreshDims& operator=(const FreshDims&) = delete;
  static std::optional<int64_t> number(const std::string& symbol);  // N of "?nN"

 private:
  int64_t next_;
  FreshDims* outer_;
  friend Dim fresh_dim();
};
bool all_static(const Shape& shape);
std::vector<int64_t> static_dims(const Shape& shape);  // OCTET_CHECKs all_static
Shape to_shape(const std::vector<int64_t>& dims);

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const TensorType&) const = default;
};

std::string to_string(const Dim& dim);          // "batch", "3*batch", "257"
std::string to_string(const Shape& shape);      // "[batch,257,1024]"
std::string to_string(const TensorType& type);  // "f16[batch,257,1024]"

}  // namespace octet
