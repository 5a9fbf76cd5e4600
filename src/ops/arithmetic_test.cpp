// Add Sub Mul Div Pow Min Max.
#include "ops/arithmetic.h"

#include <cmath>

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, i32 = DType::i32, i64 = DType::i64;

TEST(Arithmetic, broadcasts_and_rounds_once) {
  const auto column = tensor(f16, {2, 1}, {1, 2}), row = tensor(f16, {3}, {10, 20, 0.5});
  EXPECT_THAT(run(Add{}, {column, row}), Gives(f16, {2, 3}, {11, 21, 1.5, 12, 22, 2.5}));
  EXPECT_THAT(run(Sub{}, {row, column}), Gives(f16, {2, 3}, {9, 19, -0.5, 8, 18, -1.5}));
  EXPECT_THAT(run(Mul{}, {column, row}), Gives(f16, {2, 3}, {10, 20, 0.5, 20, 40, 1}));
  EXPECT_THAT(run(Div{}, {column, row}), Gives(f16, {2, 3}, {0.1, 0.05, 2, 0.2, 0.1, 4}));
  EXPECT_THAT(run(Pow{}, {row, column}), Gives(f16, {2, 3}, {10, 20, 0.5, 100, 400, 0.25}));
  // 2048 + 1 is a tie of f16 and goes to even; 2049.0625 would round up to 2050.
  EXPECT_THAT(run(Add{}, {scalar(f16, 2048), scalar(f16, 1)}), Gives(f16, {}, {2048}));
  EXPECT_THAT(run(Mul{}, {scalar(f16, 60000), scalar(f16, 2)}), Gives(f16, {}, {kInf}));
}

TEST(Arithmetic, bf16_and_f64) {
  EXPECT_THAT(run(Add{}, {scalar(DType::bf16, 256), scalar(DType::bf16, 1)}), Gives(DType::bf16, {}, {256}));
  EXPECT_THAT(run(Div{}, {scalar(DType::f64, 1), scalar(DType::f64, 3)}), Gives(DType::f64, {}, {1.0 / 3}));
}

TEST(Arithmetic, integers_wrap_and_divide_toward_zero) {
  EXPECT_THAT(run(Div{}, {ints({7, -7, 7, -7}), ints({2, 2, -2, -2})}), Is(ints({3, -3, -3, 3})));
  EXPECT_THAT(run(Div{}, {ints({INT64_MIN}), ints({-1})}), Is(ints({INT64_MIN})));
  EXPECT_THAT(run(Add{}, {ints({INT64_MAX}), ints({1})}), Is(ints({INT64_MIN})));
  EXPECT_THAT(run(Add{}, {tensor(i32, {1}, {2147483647}), tensor(i32, {1}, {1})}), Gives(i32, {1}, {-2147483648.0}));
  EXPECT_THAT(run(Pow{}, {ints({2, -3, 1, -1, 5}), ints({10, 3, -7, -3, -1})}), Is(ints({1024, -27, 1, -1, 0})));
  EXPECT_EQ(code_of([] { run(Div{}, {ints({1}), ints({0})}); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { run(Pow{}, {ints({0}), ints({-1})}); }), Code::kInvalid);
}

TEST(Arithmetic, floats_divide_by_zero) {
  EXPECT_THAT(run(Div{}, {tensor(f32, {3}, {1, -1, 0}), scalar(f32, 0)}), Gives(f32, {3}, {kInf, -kInf, kNan}));
}

TEST(Arithmetic, empty_tensors) {
  EXPECT_THAT(run(Add{}, {tensor(f32, {0, 3}, {}), tensor(f32, {3}, {1, 2, 3})}), Gives(f32, {0, 3}, {}));
  EXPECT_THAT(run(Mul{}, {tensor(f32, {0, 1}, {}), tensor(f32, {1, 2}, {1, 2})}), Gives(f32, {0, 2}, {}));
}

TEST(Arithmetic, min_and_max_of_any_number) {
  EXPECT_THAT(run(Max{}, {tensor(f32, {2}, {1, kNan}), scalar(f32, 2), tensor(f32, {2, 1}, {0, 5})}),
              Gives(f32, {2, 2}, {2, kNan, 5, kNan}));
  EXPECT_THAT(run(Min{}, {ints({3, -4}), ints({2})}), Is(ints({2, -4})));
  EXPECT_THAT(run(Min{}, {ints({3, -4})}), Is(ints({3, -4})));
}

TEST(ArithmeticRules, types_must_be_equal_numbers) {
  EXPECT_THAT(broken("input %a: f16[2] input %b: f32[2] %y = Add(%a, %b) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %a: u8[2] %y = Mul(%a, %a) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %a: e4m3[2] input %b: f16[2] %y = Max(%b, %b, %a) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %a: bool[2] %y = Min(%a) output %y"), ElementsAre("T2"));
}

TEST(ArithmeticRules, an_exponent_has_a_type_of_its_own) {
  EXPECT_EQ(type_of("input %a: f16[2] input %b: i64[2] %y = Pow(%a, %b) output %y"), "f16[2]");
  EXPECT_EQ(type_of("input %a: i32[2] input %b: f32[2] %y = Pow(%a, %b) output %y"), "i32[2]");
  EXPECT_THAT(broken("input %a: f16[2] input %b: e4m3[2] %y = Pow(%a, %b) output %y"), ElementsAre("T2"));
  EXPECT_THAT(run(Pow{}, {tensor(f16, {2}, {3, 0.5}), ints({2})}), Gives(f16, {2}, {9, 0.25}));
  EXPECT_THAT(run(Pow{}, {ints({4, 3, -2, 10}), tensor(f32, {4}, {0.5, 0.5, 0.5, 40})}), Is(ints({2, 1, 0, INT64_MAX})));
}

TEST(ArithmeticRules, fixes_name_the_tensor) {
  const auto fix = [](const std::string& body) { return check(body).violations.at(0).fix; };
  EXPECT_EQ(fix("input %a: f16[2] input %b: f32[2] %y = Add(%a, %b) output %y"), "insert Cast to f16 after `b`");
  EXPECT_EQ(fix("input %a: f32[2] const %m: f16[1] = {1} %y = Add(%a, %m) output %y"), "store the constant `m` as f32");
  EXPECT_EQ(fix("input %a: f32[2] const %m: f16[1] = {1} %y = Add(%m, %a) output %y"), "store the constant `m` as f32");
  EXPECT_EQ(fix("input %a: f16[2] input %b: e4m3[2] %y = Add(%a, %b) output %y"), "insert DequantizeLinear after `b`");
}

TEST(ArithmeticRules, shapes_broadcast) {
  EXPECT_EQ(type_of("input %a: f16[batch,1,4] input %b: f16[3,1] %y = Add(%a, %b) output %y"), "f16[batch,3,4]");
  EXPECT_THAT(broken("input %a: f16[2] input %b: f16[3] %y = Add(%a, %b) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %a: f32[2147483648,1] input %b: f32[1,2147483648] %y = Add(%a, %b) output %y"), ElementsAre("size"));
  EXPECT_EQ(code_of([] { broken("input %a: f16[2] %y = Add(%a, _) output %y"); }), Code::kInvalid);
}

TEST(ArithmeticRules, shape_values_are_computed) {
  const auto graph = check(R"(
    input %x: f16[batch,77,768]
    const %one: i64[1] = {1}  const %twelve: i64[] = {12}
    %s = Shape(%x)
    %doubled = Add(%s, %s)
    %per_head = Div(%s, %twelve)
    %product = Mul(%s, %twelve)
    %minus = Sub(%one, %one)
    %smallest = Min(%s, %twelve)
    output %doubled output %per_head output %product output %minus output %smallest)");
  EXPECT_EQ(graph.elements("doubled"), "[2*batch,154,1536]");
  EXPECT_EQ(graph.elements("product"), "[12*batch,924,9216]");
  EXPECT_EQ(graph.elements("minus"), "[0]");
  EXPECT_EQ(graph.elements("smallest"), "unknown");  // batch may be below or above 12
  EXPECT_TRUE(graph.elements("per_head").ends_with(",6,64]")) << graph.elements("per_head");
}

TEST(ArithmeticRules, values_that_a_type_cannot_hold_are_unknown) {
  EXPECT_EQ(check("const %a: i32[1] = {2147483647} %y = Add(%a, %a) output %y").elements("y"), "unknown");
}

}  // namespace
}  // namespace octet
