// Dimension arithmetic and the spelling of types.
#include "ir/types.h"

#include <atomic>
#include <charconv>

#include "base/error.h"

namespace octet {
namespace {
std::atomic<int64_t> process_dims{0};
thread_local FreshDims* current_dims = nullptr;

int64_t multiply(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_mul_overflow(a, b, &result)) fail(Code::kInvalid, "a dimension of {} * {} does not fit 64 bits", a, b);
  return result;
}
}  // namespace

Dim operator*(const Dim& a, const Dim& b) {
  if ((a.is_static() && a.value == 0) || (b.is_static() && b.value == 0)) return 0;
  if (a.is_static()) return {multiply(a.value, b.value), b.symbol};
  if (b.is_static()) return {multiply(a.value, b.value), a.symbol};
  return fresh_dim();
}

std::optional<Dim> divide(const Dim& a, const Dim& b) {
  const bool cancels = !b.is_static() && a.symbol == b.symbol;
  if (b.value == 0 || (!b.is_static() && !cancels)) return std::nullopt;
  if (b.value == -1 && a.value == INT64_MIN) return std::nullopt;
  if (a.value % b.value != 0) return std::nullopt;
  return Dim(a.value / b.value, cancels ? std::string() : a.symbol);
}

Dim product(const Shape& shape) {
  Dim result = 1;
  for (const Dim& dim : shape)
    if (dim.is_static() && dim.value == 0) return 0;
  for (const Dim& dim : shape)
    if (dim.is_static()) result = result * dim;
  for (const Dim& dim : shape)
    if (!dim.is_static()) result = result * dim;
  return result;
}

FreshDims::FreshDims(int64_t first) : next_(first), outer_(current_dims) { current_dims = this; }
FreshDims::~FreshDims() { current_dims = outer_; }

std::optional<int64_t> FreshDims::number(const std::string& symbol) {
  if (!symbol.starts_with("?n")) return std::nullopt;
  int64_t value = 0;
  const char* end = symbol.data() + symbol.size();
  const auto [stop, error] = std::from_chars(symbol.data() + 2, end, value);
  if (error != std::errc() || stop != end || value < 0) return std::nullopt;
  return value;
}

Dim fresh_dim() {
  if (current_dims != nullptr) return {1, fmt::format("?n{}", current_dims->next_++)};
  return {1, fmt::format("?{}", process_dims.fetch_add(1, std::memory_order_relaxed))};
}

bool all_static(const Shape& shape) {
  for (const Dim& dim : shape)
    if (!dim.is_static()) return false;
  return true;
}

std::vector<int64_t> static_dims(const Shape& shape) {
  std::vector<int64_t> dims;
  dims.reserve(shape.size());
  for (const Dim& dim : shape) {
    OCTET_CHECK(dim.is_static(), to_string(shape));
    dims.push_back(dim.value);
  }
  return dims;
}

Shape to_shape(const std::vector<int64_t>& dims) { return Shape(dims.begin(), dims.end()); }

std::string to_string(const Dim& dim) {
  if (dim.is_static()) return std::to_string(dim.value);
  return dim.value == 1 ? dim.symbol : fmt::format("{}*{}", dim.value, dim.symbol);
}

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (const Dim& dim : shape) {
    if (out.size() > 1) out += ',';
    out += to_string(dim);
  }
  return out + "]";
}

std::string to_string(const TensorType& type) { return std::string(name_of(type.dtype)) + to_string(type.shape); }

}  // namespace octet
