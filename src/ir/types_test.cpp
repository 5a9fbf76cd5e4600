// Dimension arithmetic.
#include "ir/types.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace octet {
namespace {

const Dim kBatch(1, "batch");

TEST(Dim, products) {
  EXPECT_EQ(Dim(3) * Dim(4), Dim(12));
  EXPECT_EQ(Dim(3) * kBatch, Dim(3, "batch"));
  EXPECT_EQ(Dim(2, "batch") * Dim(5), Dim(10, "batch"));
  EXPECT_EQ(Dim(0) * kBatch, Dim(0));
  EXPECT_EQ(kBatch * Dim(0), Dim(0));
  const Dim fresh = kBatch * Dim(1, "tokens");
  EXPECT_EQ(fresh.symbol[0], '?');
  EXPECT_NE(kBatch * kBatch, kBatch * kBatch);
  EXPECT_EQ(product({}), Dim(1));
  EXPECT_EQ(product({2, kBatch, 3}), Dim(6, "batch"));
  EXPECT_EQ(product({kBatch, kBatch, 0}), Dim(0));
  EXPECT_EQ(product({INT64_MAX, INT64_MAX, 0}), Dim(0));
  EXPECT_THROW(product({INT64_MAX, 2}), Error);
  EXPECT_THROW(Dim(INT64_MAX, "n") * Dim(2), Error);
}

TEST(Dim, quotients_are_exact) {
  EXPECT_EQ(divide(12, 4), Dim(3));
  EXPECT_EQ(divide(12, 5), std::nullopt);
  EXPECT_EQ(divide(Dim(6, "batch"), 3), Dim(2, "batch"));
  EXPECT_EQ(divide(Dim(6, "batch"), 4), std::nullopt);
  EXPECT_EQ(divide(Dim(6, "batch"), Dim(2, "batch")), Dim(3));
  EXPECT_EQ(divide(Dim(6, "batch"), Dim(2, "tokens")), std::nullopt);
  EXPECT_EQ(divide(6, kBatch), std::nullopt);
  EXPECT_EQ(divide(6, 0), std::nullopt);
  EXPECT_EQ(divide(0, 0), std::nullopt);
  EXPECT_EQ(divide(0, 5), Dim(0));
  EXPECT_EQ(divide(INT64_MIN, -1), std::nullopt);
}

TEST(Dim, fresh_names_are_counted_in_a_scope) {
  EXPECT_NE(fresh_dim(), fresh_dim());
  {
    const FreshDims outer(5);
    EXPECT_EQ(fresh_dim(), Dim(1, "?n5"));
    {
      const FreshDims inner(0);
      EXPECT_EQ(fresh_dim(), Dim(1, "?n0"));
    }
    EXPECT_EQ(fresh_dim(), Dim(1, "?n6"));
  }
  EXPECT_FALSE(FreshDims::number(fresh_dim().symbol));
  EXPECT_EQ(FreshDims::number("?n12"), 12);
  for (const char* other : {"?n", "?n-1", "?n1x", "n1", "?1", "", "?n99999999999999999999"})
    EXPECT_FALSE(FreshDims::number(other)) << other;
}

TEST(Shape, static_or_not) {
  EXPECT_TRUE(all_static({}));
  EXPECT_TRUE(all_static({1, 2}));
  EXPECT_FALSE(all_static({1, kBatch}));
  EXPECT_EQ(static_dims(to_shape({2, 0, 3})), (std::vector<int64_t>{2, 0, 3}));
  EXPECT_THROW(static_dims({kBatch}), Error);
}

TEST(Shape, spelling) {
  EXPECT_EQ(to_string(TensorType{DType::f16, {kBatch, 257, Dim(3, "batch")}}), "f16[batch,257,3*batch]");
  EXPECT_EQ(to_string(TensorType{DType::boolean, {}}), "bool[]");
}

}  // namespace
}  // namespace octet
