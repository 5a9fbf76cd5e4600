// ScatterND: places, order, reductions, what its rules refuse.
#include "ops/scatter.h"

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32;

TEST(ScatterND, rows_and_elements) {
  const auto data = tensor(f16, {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(run(ScatterND{}, {data, ints({1, 1}, {1}), tensor(f16, {1, 3}, {7, 8, 9})}), Gives(f16, {2, 3}, {1, 2, 3, 7, 8, 9}));
  EXPECT_THAT(run(ScatterND{}, {data, ints({2, 2}, {0, 0, -1, -1}), tensor(f16, {2}, {-1, kInf})}),
              Gives(f16, {2, 3}, {-1, 2, 3, 4, 5, kInf}));
  EXPECT_THAT(run(ScatterND{}, {data, ints({2, 1}, {0, 0}), tensor(f16, {2, 3}, {7, 7, 7, 8, 8, 8})}),
              Gives(f16, {2, 3}, {8, 8, 8, 4, 5, 6}));
  EXPECT_THAT(run(ScatterND{}, {ints({4}, {1, 2, 3, 4}), ints({1, 1}, {2}), ints({1}, {9})}), Is(ints({4}, {1, 2, 9, 4})));
}

TEST(ScatterND, reductions) {
  const auto data = tensor(f32, {3}, {1, 2, 3}), updates = tensor(f32, {3}, {10, 20, -1});
  const auto at = ints({3, 1}, {0, 0, 2});
  EXPECT_THAT(run(ScatterND{.reduction = "add"}, {data, at, updates}), Gives(f32, {3}, {31, 2, 2}));
  EXPECT_THAT(run(ScatterND{.reduction = "mul"}, {data, at, updates}), Gives(f32, {3}, {200, 2, -3}));
  EXPECT_THAT(run(ScatterND{.reduction = "max"}, {data, at, updates}), Gives(f32, {3}, {20, 2, 3}));
  EXPECT_THAT(run(ScatterND{.reduction = "min"}, {data, at, updates}), Gives(f32, {3}, {1, 2, -1}));
}

TEST(ScatterND, indices_out_of_range) {
  EXPECT_EQ(code_of([] { run(ScatterND{}, {tensor(f32, {2}, {0, 0}), ints({1, 1}, {2}), tensor(f32, {1}, {1})}); }), Code::kInvalid);
}

TEST(ScatterNDRules, types_and_shapes) {
  const auto body = [](const std::string& data, const std::string& at, const std::string& updates, const std::string& more = "") {
    return "input %d: " + data + " input %i: " + at + " input %u: " + updates + " %y = ScatterND(%d, %i, %u) " + more + " output %y";
  };
  EXPECT_EQ(type_of(body("f16[batch,12,12]", "i64[5,2]", "f16[5,12]")), "f16[batch,12,12]");
  EXPECT_THAT(broken(body("f16[4]", "i32[1,1]", "f16[1]")), ElementsAre("T1"));
  EXPECT_THAT(broken(body("f16[4]", "i64[1,1]", "f32[1]")), ElementsAre("T2"));
  EXPECT_THAT(broken(body("e4m3[4]", "i64[1,1]", "e4m3[1]")), ElementsAre("T3"));
  EXPECT_THAT(broken(body("f16[4]", "i64[1,1]", "f16[1]", "{reduction=\"mean\"}")), ElementsAre("A1"));
  EXPECT_THAT(broken(body("bool[4]", "i64[1,1]", "bool[1]", "{reduction=\"add\"}")), ElementsAre("A1"));
  EXPECT_THAT(broken(body("f16[4]", "i64[1,2]", "f16[1]")), ElementsAre("S1"));
  EXPECT_THAT(broken(body("f16[4,3]", "i64[1,1]", "f16[1,2]")), ElementsAre("S2"));
  EXPECT_THAT(broken("input %d: f16[4] const %i: i64[1,1] = {4} input %u: f16[1] %y = ScatterND(%d, %i, %u) output %y"), ElementsAre("S3"));
}

}  // namespace
}  // namespace octet
