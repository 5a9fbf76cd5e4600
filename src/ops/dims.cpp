// Dimension arithmetic; overflow is always "unknown".
#include "ops/dims.h"

#include <algorithm>
#include <limits>

namespace octet::ops {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

Dim linear(int64_t value, const std::string& symbol) { return value == 0 ? Dim(0) : Dim(value, symbol); }

// The result where arithmetic gives none: a fresh symbol if it cannot be negative.
std::optional<Dim> unknown(bool never_negative) {
  if (never_negative) return fresh_dim();
  return std::nullopt;
}

bool both_nonnegative(const Dim& a, const Dim& b) { return a.value >= 0 && b.value >= 0; }

}  // namespace

std::optional<Dim> sum(const Dim& a, const Dim& b) {
  if (a == Dim(0)) return b;
  if (b == Dim(0)) return a;
  if (a.symbol != b.symbol) return unknown(both_nonnegative(a, b));
  int64_t value = 0;
  if (__builtin_add_overflow(a.value, b.value, &value)) return std::nullopt;
  return linear(value, a.symbol);
}

std::optional<Dim> difference(const Dim& a, const Dim& b) {
  if (b.value == kMin) return std::nullopt;
  return sum(a, Dim(-b.value, b.symbol));
}

std::optional<Dim> times(const Dim& a, const Dim& b) {
  if (a.value == 0 || b.value == 0) return Dim(0);
  if (!a.is_static() && !b.is_static()) return unknown((a.value > 0) == (b.value > 0));
  int64_t value = 0;
  if (__builtin_mul_overflow(a.value, b.value, &value)) return std::nullopt;
  return Dim(value, a.is_static() ? b.symbol : a.symbol);
}

std::optional<Dim> quotient(const Dim& a, const Dim& b) {
  if (b.value == 0 || (a.value == kMin && b.value == -1)) return std::nullopt;
  if (a.value == 0) return Dim(0);
  if (a.symbol == b.symbol) return Dim(a.value / b.value);
  if (b.is_static() && a.value % b.value == 0) return Dim(a.value / b.value, a.symbol);
  return unknown(both_nonnegative(a, b));
}

std::optional<bool> equals(const Dim& a, const Dim& b) {
  if (a == b) return true;
  if (a.symbol == b.symbol) return a.is_static() ? std::optional(false) : std::nullopt;
  if (!a.is_static() && !b.is_static()) return std::nullopt;
  const Dim& number = a.is_static() ? a : b;
  const Dim& other = a.is_static() ? b : a;
  if (number.value == 0 || number.value == kMin) return std::nullopt;
  if ((number.value > 0) != (other.value > 0) || number.value % other.value != 0) return false;
  return std::nullopt;
}

std::optional<bool> less(const Dim& a, const Dim& b) {
  if (a.symbol == b.symbol) {
    if (a.is_static()) return a.value < b.value;
    return a.value >= b.value ? std::optional(false) : std::nullopt;
  }
  if (a.is_static()) {
    if (b.value > 0 && a.value < 0) return true;
    if (b.value < 0 && a.value >= 0) return false;
  } else if (b.is_static()) {
    if (a.value > 0 && b.value <= 0) return false;
    if (a.value < 0 && b.value > 0) return true;
  }
  return std::nullopt;
}

std::optional<Dim> broadcast(const Dim& a, const Dim& b) {
  if (a == b || b == Dim(1)) return a;
  if (a == Dim(1)) return b;
  if (a.symbol == b.symbol) return std::nullopt;
  if (!a.is_static() && !b.is_static()) return fresh_dim();
  const Dim& number = a.is_static() ? a : b;
  const Dim& other = a.is_static() ? b : a;
  if (equals(number, other) == false && other.value != 1) return std::nullopt;  // 3*s is neither 4 nor 1
  return number;
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {  // from the last axis
    const Dim x = i < a.size() ? a[a.size() - 1 - i] : Dim(1);
    const Dim y = i < b.size() ? b[b.size() - 1 - i] : Dim(1);
    auto dim = broadcast(x, y);
    if (!dim) return std::nullopt;
    out[out.size() - 1 - i] = std::move(*dim);
  }
  return out;
}

std::optional<Monomial> count_of(const Shape& shape) {
  Monomial count;
  for (const Dim& dim : shape)
    if (dim.value == 0) return Monomial{0, {}};
  for (const Dim& dim : shape) {
    if (__builtin_mul_overflow(count.value, dim.value, &count.value) || count.value > int64_t{1} << 62) return std::nullopt;
    if (!dim.is_static()) count.symbols.push_back(dim.symbol);
  }
  std::sort(count.symbols.begin(), count.symbols.end());
  return count;
}

Dim product_dim(const Shape& shape) {
  const auto count = count_of(shape);
  if (!count || count->symbols.size() > 1) return fresh_dim();
  return {count->value, count->symbols.empty() ? std::string() : count->symbols[0]};
}

std::optional<Dim> missing_factor(Monomial whole, const Monomial& part) {
  if (whole.value == 0) return Dim(0);
  std::vector<std::string> left;
  std::set_difference(whole.symbols.begin(), whole.symbols.end(), part.symbols.begin(), part.symbols.end(), std::back_inserter(left));
  const bool cancelled = left.size() + part.symbols.size() == whole.symbols.size();
  if (whole.value % part.value == 0 && cancelled && left.size() <= 1)
    return Dim(whole.value / part.value, left.empty() ? std::string() : left[0]);
  if (cancelled && left.empty()) return std::nullopt;
  return fresh_dim();
}

}  // namespace octet::ops
