// Constant, ConstantOfShape, Range, Expand, Tile.
#include "ops/constant.h"

#include "ops/expand.h"
#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, i32 = DType::i32;

TEST(Constant, every_attribute) {
  EXPECT_THAT(run(Constant{.value = tensor(f16, {2}, {1, 2})}, {}), Gives(f16, {2}, {1, 2}));
  EXPECT_THAT(run(Constant{.value_int = 0}, {}), Is(ints({}, {0})));
  EXPECT_THAT(run(Constant{.value_float = 0}, {}), Gives(f32, {}, {0}));
  EXPECT_THAT(run(Constant{.value_float = -std::numeric_limits<float>::max()}, {}), Gives(f32, {}, {-std::numeric_limits<float>::max()}));
  EXPECT_THAT(run(Constant{.value_ints = {3, -1}}, {}), Is(ints({3, -1})));
  EXPECT_THAT(run(Constant{.value_ints = {}}, {}), Is(ints({})));
  EXPECT_THAT(run(Constant{.value_floats = {0.5f}}, {}), Gives(f32, {1}, {0.5}));
  EXPECT_EQ(type_of("%y = Constant() {value_ints=[1,2,3]} output %y"), "i64[3]");
  EXPECT_EQ(check("%y = Constant() {value_int=7} output %y").elements("y"), "[7]");
  EXPECT_THAT(broken("%y = Constant() {value_int=1, value_float=1} output %y"), ElementsAre("A1"));
}

TEST(ConstantOfShape, fills) {
  EXPECT_THAT(run(ConstantOfShape{}, {ints({2, 1})}), Gives(f32, {2, 1}, {0, 0}));
  EXPECT_THAT(run(ConstantOfShape{.value = ints({-1})}, {ints({2})}), Is(ints({-1, -1})));
  EXPECT_THAT(run(ConstantOfShape{.value = tensor(f16, {1}, {-kInf})}, {ints({})}), Gives(f16, {}, {-kInf}));
  EXPECT_THAT(run(ConstantOfShape{}, {ints({0, 5})}), Gives(f32, {0, 5}, {}));
}

TEST(ConstantOfShapeRules, types_and_shapes) {
  EXPECT_EQ(type_of("input %x: f16[batch,7] %s = Shape(%x) %y = ConstantOfShape(%s) {value=bool[1]{1}} output %y"), "bool[batch,7]");
  EXPECT_EQ(check("const %n: i64[1] = {3} %y = ConstantOfShape(%n) {value=i64[1]{-1}} output %y").elements("y"), "[-1,-1,-1]");
  EXPECT_THAT(broken("input %s: i32[2] %y = ConstantOfShape(%s) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("const %s: i64[1] = {2} %y = ConstantOfShape(%s) {value=f32[2]{1,2}} output %y"), ElementsAre("A1"));
  EXPECT_THAT(broken("input %s: i64[n] %y = ConstantOfShape(%s) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("const %s: i64[2] = {2,-1} %y = ConstantOfShape(%s) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("const %s: i64[2] = {1073741824,4294967296} %y = ConstantOfShape(%s) output %y"), ElementsAre("size"));
  EXPECT_EQ(code_of([] { run(ConstantOfShape{}, {ints({1 << 20, 1 << 10})}); }), Code::kUnsupported);
}

TEST(Range, integers_and_floats) {
  const auto range = [](int64_t start, int64_t limit, int64_t delta) {
    return run(RangeOp{}, {ints({}, {start}), ints({}, {limit}), ints({}, {delta})});
  };
  EXPECT_THAT(range(0, 5, 1), Is(ints({0, 1, 2, 3, 4})));
  EXPECT_THAT(range(5, 0, -2), Is(ints({5, 3, 1})));
  EXPECT_THAT(range(3, 3, 1), Is(ints({})));
  EXPECT_THAT(range(3, 0, 1), Is(ints({})));
  EXPECT_THAT(range(INT64_MIN, INT64_MAX, INT64_MAX), Is(ints({INT64_MIN, -1, INT64_MAX - 1})));
  EXPECT_THAT(run(RangeOp{}, {scalar(f32, 0), scalar(f32, 1), scalar(f32, 0.25)}), Gives(f32, {4}, {0, 0.25, 0.5, 0.75}));
  EXPECT_EQ(code_of([&] { range(INT64_MIN, INT64_MAX, 1); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { range(0, int64_t{1} << 30, 1); }), Code::kUnsupported);
}

TEST(RangeRules, types_and_shapes) {
  const auto rules = [](const std::string& a, const std::string& b, const std::string& c, int opset = 20) {
    return broken("const %a: " + a + " const %b: " + b + " const %c: " + c + " %y = Range(%a, %b, %c) output %y", opset);
  };
  EXPECT_THAT(rules("i64[] = {0}", "i32[] = {5}", "i64[] = {1}"), ElementsAre("T1"));
  EXPECT_THAT(rules("f16[] = {0}", "f16[] = {5}", "f16[] = {1}"), ElementsAre("T2"));
  EXPECT_THAT(rules("f16[] = {0}", "f16[] = {5}", "f16[] = {1}", 27), ElementsAre());
  EXPECT_THAT(rules("i64[2] = {0,0}", "i64[] = {5}", "i64[] = {1}"), ElementsAre("S1"));
  EXPECT_THAT(rules("i64[] = {0}", "i64[] = {5}", "i64[] = {0}"), ElementsAre("S2"));
  EXPECT_THAT(rules("f32[] = {0}", "f32[] = {5}", "f32[] = {nan}"), ElementsAre("S2"));
  EXPECT_THAT(rules("f32[] = {0}", "f32[] = {inf}", "f32[] = {1}"), ElementsAre("size"));
  const auto graph = check(R"(
    input %x: f16[batch,77]  const %zero: i64[] = {0}  const %one: i64[] = {1}
    %s = Shape(%x)
    %batch = Gather(%s, %zero)
    %length = Gather(%s, %one)
    %rows = Range(%zero, %batch, %one)
    %positions = Range(%zero, %length, %one)
    output %rows output %positions)");
  EXPECT_EQ(graph.type("rows"), "i64[batch]");
  EXPECT_EQ(graph.type("positions"), "i64[77]");
  EXPECT_TRUE(graph.elements("positions").ends_with(",75,76]"));
}

TEST(Expand, both_sides_may_grow) {
  EXPECT_THAT(run(Expand{}, {tensor(f16, {2, 1}, {1, 2}), ints({3})}), Gives(f16, {2, 3}, {1, 1, 1, 2, 2, 2}));
  EXPECT_THAT(run(Expand{}, {scalar(f16, 5), ints({1, 2})}), Gives(f16, {1, 2}, {5, 5}));
  EXPECT_THAT(run(Expand{}, {tensor(f16, {1, 2}, {1, 2}), ints({0, 1})}), Gives(f16, {0, 2}, {}));
  EXPECT_EQ(type_of("input %x: f16[batch,3,8] const %c: f16[1,1,1] = {0} %s = Shape(%x) %y = Expand(%c, %s) output %y"), "f16[batch,3,8]");
  EXPECT_THAT(broken("input %x: f16[2] input %s: i32[1] %y = Expand(%x, %s) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: e5m2[2] const %s: i64[1] = {2} %y = Expand(%x, %s) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %x: f16[2] input %s: i64[n] %y = Expand(%x, %s) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2] const %s: i64[1] = {-1} %y = Expand(%x, %s) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %x: f16[2] const %s: i64[1] = {3} %y = Expand(%x, %s) output %y"), ElementsAre("S3"));
  EXPECT_THAT(broken("input %x: f16[2,1] const %s: i64[2] = {1,9223372036854775807} %y = Expand(%x, %s) output %y"), ElementsAre("size"));
}

TEST(Tile, repeats_axes) {
  EXPECT_THAT(run(Tile{}, {tensor(f16, {1, 2}, {1, 2}), ints({2, 2})}), Gives(f16, {2, 4}, {1, 2, 1, 2, 1, 2, 1, 2}));
  EXPECT_THAT(run(Tile{}, {tensor(f16, {2}, {1, 2}), ints({0})}), Gives(f16, {0}, {}));
  EXPECT_EQ(type_of("input %x: f16[batch,3] const %r: i64[2] = {2,2} %y = Tile(%x, %r) output %y"), "f16[2*batch,6]");
  EXPECT_THAT(broken("input %x: f16[2] const %r: i32[1] = {2} %y = Tile(%x, %r) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: e4m3[2] const %r: i64[1] = {2} %y = Tile(%x, %r) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %x: f16[2] const %r: i64[2] = {2,2} %y = Tile(%x, %r) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2] const %r: i64[1] = {-2} %y = Tile(%x, %r) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %x: f16[4] const %r: i64[1] = {4611686018427387904} %y = Tile(%x, %r) output %y"), ElementsAre("size"));
}

}  // namespace
}  // namespace octet
