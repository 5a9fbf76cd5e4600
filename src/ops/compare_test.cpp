// Comparisons, And, Or, Where.
#include "ops/compare.h"

#include "ops/testing.h"
#include "ops/where.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, b8 = DType::boolean;

TEST(Compare, numbers) {
  const auto a = tensor(f32, {4}, {1, 2, 3, kNan}), two = scalar(f32, 2);
  EXPECT_THAT(run(Equal{}, {a, two}), Gives(b8, {4}, {0, 1, 0, 0}));
  EXPECT_THAT(run(Less{}, {a, two}), Gives(b8, {4}, {1, 0, 0, 0}));
  EXPECT_THAT(run(LessOrEqual{}, {a, two}), Gives(b8, {4}, {1, 1, 0, 0}));
  EXPECT_THAT(run(Greater{}, {a, two}), Gives(b8, {4}, {0, 0, 1, 0}));
  EXPECT_THAT(run(GreaterOrEqual{}, {a, two}), Gives(b8, {4}, {0, 1, 1, 0}));
  // Two i64 that are one double.
  EXPECT_THAT(run(Equal{}, {ints({INT64_MAX}), ints({INT64_MAX - 1})}), Gives(b8, {1}, {0}));
}

TEST(Compare, booleans) {
  const auto a = tensor(b8, {2, 1}, {0, 1}), b = tensor(b8, {2}, {0, 1});
  EXPECT_THAT(run(And{}, {a, b}), Gives(b8, {2, 2}, {0, 0, 0, 1}));
  EXPECT_THAT(run(Or{}, {a, b}), Gives(b8, {2, 2}, {0, 1, 1, 1}));
  EXPECT_THAT(run(Equal{}, {a, b}), Gives(b8, {2, 2}, {1, 0, 0, 1}));
}

TEST(CompareRules, types_and_shapes) {
  EXPECT_THAT(broken("input %a: f16[2] input %b: f32[2] %y = Less(%a, %b) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %a: bool[2] %y = Less(%a, %a) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %a: f16[2] %y = And(%a, %a) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %a: f16[2] input %b: f16[3] %y = Equal(%a, %b) output %y"), ElementsAre("S1"));
  EXPECT_EQ(type_of("input %a: i64[batch,1] input %b: i64[7] %y = Greater(%a, %b) output %y"), "bool[batch,7]");
}

TEST(CompareRules, symbolic_elements_where_every_size_agrees) {
  const auto graph = check(R"(
    input %x: f16[batch,77]  const %minus: i64[] = {-1}  const %one: i64[] = {1}
    %s = Shape(%x)
    %never = Equal(%s, %minus)
    %same = Equal(%s, %s)
    %depends = Equal(%s, %one)
    %below = Less(%s, %minus)
    %above = GreaterOrEqual(%s, %minus)
    %both = And(%never, %same)
    %neither = Not(%same)
    output %depends output %below output %above output %both output %neither)");
  EXPECT_EQ(graph.elements("never"), "[0,0]");
  EXPECT_EQ(graph.elements("same"), "[1,1]");
  EXPECT_EQ(graph.elements("depends"), "unknown");
  EXPECT_EQ(graph.elements("below"), "[0,0]");
  EXPECT_EQ(graph.elements("above"), "[1,1]");
  EXPECT_EQ(graph.elements("both"), "[0,0]");
  EXPECT_EQ(graph.elements("neither"), "[0,0]");
}

TEST(Where, picks_by_mask_and_copies_bits) {
  const auto mask = tensor(b8, {2, 1}, {1, 0});
  EXPECT_THAT(run(Where{}, {mask, tensor(f16, {2}, {1, kNan}), scalar(f16, -kInf)}), Gives(f16, {2, 2}, {1, kNan, -kInf, -kInf}));
  EXPECT_THAT(run(Where{}, {mask, ints({INT64_MAX}), ints({7})}), Is(ints({2, 1}, {INT64_MAX, 7})));
  EXPECT_THAT(run(Where{}, {mask, tensor(b8, {}, {1}), tensor(b8, {}, {0})}), Gives(b8, {2, 1}, {1, 0}));
  EXPECT_THAT(run(Where{}, {mask, scalar(f32, 1), tensor(f32, {0}, {})}), Gives(f32, {2, 0}, {}));
}

TEST(WhereRules, types_and_shapes) {
  EXPECT_THAT(broken("input %m: i64[2] input %a: f16[2] %y = Where(%m, %a, %a) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %m: bool[2] input %a: e4m3[2] %y = Where(%m, %a, %a) output %y"), ElementsAre("T3"));
  EXPECT_THAT(broken("input %m: bool[2] input %a: f16[2] input %b: f32[2] %y = Where(%m, %a, %b) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %m: bool[2] input %a: f16[3] %y = Where(%m, %a, %a) output %y"), ElementsAre("S1"));
  EXPECT_EQ(type_of("input %m: bool[1,77,77] input %a: f16[] input %x: f16[batch,1,1] %y = Where(%m, %a, %x) output %y"),
            "f16[batch,77,77]");
}

TEST(WhereRules, picks_known_elements) {
  const auto graph = check(R"(
    input %x: f16[batch,77]  const %minus: i64[2] = {-1,-1}  const %one: i64[1] = {1}  const %target: i64[2] = {-1,5}
    %s = Shape(%x)
    %m = Equal(%target, %minus)
    %y = Where(%m, %one, %target)
    %z = Where(%m, %s, %target)
    output %y output %z)");
  EXPECT_EQ(graph.elements("y"), "[1,5]");
  EXPECT_EQ(graph.elements("z"), "[batch,5]");
}

}  // namespace
}  // namespace octet
