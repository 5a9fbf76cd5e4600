// Dimension arithmetic, against evaluation of both sides for many values of the symbols.
#include "ops/dims.h"

#include <gtest/gtest.h>

#include <map>

namespace octet::ops {
namespace {

using Sizes = std::map<std::string, int64_t>;

int64_t value_of(const Dim& dim, const Sizes& sizes) { return dim.value * (dim.is_static() ? 1 : sizes.at(dim.symbol)); }
bool is_fresh(const Dim& dim) { return dim.symbol.starts_with("?"); }

std::vector<Dim> samples() {
  std::vector<Dim> out;
  for (const int64_t v : {-6, -3, -1, 0, 1, 2, 3, 6, 7}) out.emplace_back(v);
  for (const int64_t v : {-3, -1, 1, 2, 3, 6})
    for (const char* symbol : {"b", "s"}) out.emplace_back(v, symbol);
  return out;
}

// Calls f(a, b, value of a, value of b) for all pairs of samples and sizes 0 to 4 of the two symbols.
template <class F>
void for_all_pairs(F f) {
  for (const Dim& a : samples())
    for (const Dim& b : samples())
      for (int64_t batch = 0; batch < 5; ++batch)
        for (int64_t length = 0; length < 5; ++length) {
          const Sizes sizes{{"b", batch}, {"s", length}};
          f(a, b, sizes, value_of(a, sizes), value_of(b, sizes));
        }
}

template <class Op, class Truth>
void expect_arithmetic(Op op, Truth truth) {
  for_all_pairs([&](const Dim& a, const Dim& b, const Sizes& sizes, int64_t x, int64_t y) {
    const auto result = op(a, b);
    if (!result) return;
    if (is_fresh(*result)) EXPECT_GE(truth(x, y), 0) << to_string(a) << " " << to_string(b);
    else EXPECT_EQ(value_of(*result, sizes), truth(x, y)) << to_string(a) << " " << to_string(b);
  });
}

TEST(Dims, arithmetic_holds_for_every_size) {
  expect_arithmetic(sum, [](int64_t a, int64_t b) { return a + b; });
  expect_arithmetic(difference, [](int64_t a, int64_t b) { return a - b; });
  expect_arithmetic(times, [](int64_t a, int64_t b) { return a * b; });
}

TEST(Dims, quotients_truncate_toward_zero) {
  for_all_pairs([&](const Dim& a, const Dim& b, const Sizes& sizes, int64_t x, int64_t y) {
    const auto result = quotient(a, b);
    if (y == 0 || !result) return;
    if (is_fresh(*result)) EXPECT_GE(x / y, 0) << to_string(a) << "/" << to_string(b);
    else EXPECT_EQ(value_of(*result, sizes), x / y) << to_string(a) << "/" << to_string(b);
  });
}

TEST(Dims, comparisons_answer_only_what_holds_for_every_size) {
  for_all_pairs([&](const Dim& a, const Dim& b, const Sizes&, int64_t x, int64_t y) {
    EXPECT_EQ(equals(a, b).value_or(x == y), x == y) << to_string(a) << " == " << to_string(b);
    EXPECT_EQ(less(a, b).value_or(x < y), x < y) << to_string(a) << " < " << to_string(b);
  });
}

TEST(Dims, results_that_must_be_exact) {
  const Dim batch(1, "b");
  EXPECT_EQ(sum(Dim(2, "b"), Dim(3, "b")), Dim(5, "b"));
  EXPECT_EQ(difference(batch, batch), Dim(0));
  EXPECT_EQ(times(batch, 257), Dim(257, "b"));
  EXPECT_EQ(times(Dim(0), batch), Dim(0));
  EXPECT_EQ(quotient(Dim(768, "b"), 64), Dim(12, "b"));
  EXPECT_EQ(quotient(Dim(768, "b"), Dim(64, "b")), Dim(12));
  EXPECT_EQ(quotient(-7, 2), Dim(-3));
  EXPECT_EQ(equals(batch, -1), false);
  EXPECT_EQ(equals(batch, 1), std::nullopt);
  EXPECT_EQ(equals(Dim(64, "b"), 1), false);
  EXPECT_EQ(less(batch, 0), false);
  EXPECT_EQ(less(-1, batch), true);
}

TEST(Dims, overflow_is_unknown) {
  EXPECT_EQ(sum(INT64_MAX, 1), std::nullopt);
  EXPECT_EQ(difference(0, INT64_MIN), std::nullopt);
  EXPECT_EQ(times(INT64_MAX, 2), std::nullopt);
  EXPECT_EQ(times(Dim(INT64_MAX, "b"), 2), std::nullopt);
  EXPECT_EQ(quotient(INT64_MIN, -1), std::nullopt);
  EXPECT_EQ(quotient(1, 0), std::nullopt);
  EXPECT_EQ(count_of({int64_t{1} << 40, int64_t{1} << 40}), std::nullopt);
  EXPECT_EQ(count_of({int64_t{1} << 40, int64_t{1} << 40, 0}), (Monomial{0, {}}));
}

TEST(Dims, broadcasting) {
  const Dim batch(1, "b");
  EXPECT_EQ(broadcast(batch, 1), batch);
  EXPECT_EQ(broadcast(1, batch), batch);
  EXPECT_EQ(broadcast(batch, batch), batch);
  EXPECT_EQ(broadcast(batch, 5), Dim(5));
  EXPECT_EQ(broadcast(0, 1), Dim(0));
  EXPECT_EQ(broadcast(2, 3), std::nullopt);
  EXPECT_EQ(broadcast(Dim(3, "b"), 4), std::nullopt);
  EXPECT_EQ(broadcast(batch, Dim(2, "b")), std::nullopt);
  EXPECT_TRUE(is_fresh(*broadcast(batch, Dim(1, "s"))));
  EXPECT_EQ(to_string(*broadcast(Shape{batch, 1, 4}, Shape{3, 1})), "[b,3,4]");
  EXPECT_EQ(to_string(*broadcast(Shape{}, Shape{2})), "[2]");
}

TEST(Dims, missing_factors_cancel_symbols) {
  const auto missing = [](const Shape& whole, const Shape& part) { return missing_factor(*count_of(whole), *count_of(part)); };
  const Dim batch(1, "b"), length(1, "s");
  EXPECT_EQ(missing({batch, 257, 1024}, {1024}), Dim(257, "b"));
  EXPECT_EQ(missing({batch, 257, 1024}, {batch, 257, 16}), Dim(64));
  EXPECT_EQ(missing({batch, length, 8}, {length, 2}), Dim(4, "b"));
  EXPECT_EQ(missing({Dim(6, "b"), batch}, {batch, 3}), Dim(2, "b"));
  EXPECT_EQ(missing({0, batch}, {3}), Dim(0));
  EXPECT_EQ(missing({10}, {4}), std::nullopt);
  EXPECT_TRUE(is_fresh(*missing({batch, 10}, {4})));
  EXPECT_TRUE(is_fresh(*missing({batch, length}, {1})));
  EXPECT_TRUE(is_fresh(*missing({12}, {batch})));
}

}  // namespace
}  // namespace octet::ops
