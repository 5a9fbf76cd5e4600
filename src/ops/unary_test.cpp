// Functions of one operand, the activations, Cast, Clip.
#include "ops/unary.h"

#include <cmath>

#include "ops/cast.h"
#include "ops/clip.h"
#include "ops/gelu.h"
#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, i32 = DType::i32, i64 = DType::i64, b8 = DType::boolean, e4m3 = DType::e4m3,
                e5m2 = DType::e5m2;

TEST(Unary, functions_by_formula) {
  const auto x = tensor(f32, {2, 2}, {0.25, 1, 2, 4});
  const auto expect = [&](const HostTensor& y, double (*f)(double)) { EXPECT_THAT(y, Gives(f32, {2, 2}, {f(0.25), f(1), f(2), f(4)})); };
  expect(run(Sqrt{}, {x}), [](double v) { return std::sqrt(v); });
  expect(run(Exp{}, {x}), [](double v) { return std::exp(v); });
  expect(run(Erf{}, {x}), [](double v) { return std::erf(v); });
  expect(run(Tanh{}, {x}), [](double v) { return std::tanh(v); });
  expect(run(Sigmoid{}, {x}), [](double v) { return 1 / (1 + std::exp(-v)); });
  expect(run(Neg{}, {x}), [](double v) { return -v; });
  expect(run(Reciprocal{}, {x}), [](double v) { return 1 / v; });
  EXPECT_THAT(run(Abs{}, {tensor(f16, {2}, {-1.5, 2})}), Gives(f16, {2}, {1.5, 2}));
  EXPECT_THAT(run(Sigmoid{}, {tensor(f16, {2}, {-kInf, kInf})}), Gives(f16, {2}, {0, 1}));
  EXPECT_THAT(run(IsNaN{}, {tensor(f16, {3}, {1, kNan, kInf})}), Gives(b8, {3}, {0, 1, 0}));
  EXPECT_THAT(run(Sqrt{}, {tensor(f32, {0}, {})}), Gives(f32, {0}, {}));
}

TEST(Unary, integers_and_booleans) {
  EXPECT_THAT(run(Neg{}, {ints({3, INT64_MIN})}), Is(ints({-3, INT64_MIN})));
  EXPECT_THAT(run(Abs{}, {tensor(DType::i8, {3}, {-5, 6, -128})}), Gives(DType::i8, {3}, {5, 6, -128}));
  EXPECT_THAT(run(Not{}, {tensor(b8, {2}, {1, 0})}), Gives(b8, {2}, {0, 1}));
  EXPECT_THAT(run(Identity{}, {tensor(e4m3, {2}, {1, 448})}), Gives(e4m3, {2}, {1, 448}));
}

TEST(UnaryRules, types) {
  for (const char* op : {"Sqrt", "Exp", "Erf", "Tanh", "Sigmoid", "Reciprocal", "IsNaN", "Gelu", "octet.QuickGelu"})
    EXPECT_THAT(broken(std::string("input %x: i64[2] %y = ") + op + "(%x) output %y"), ElementsAre("T1")) << op;
  EXPECT_THAT(broken("input %x: u8[2] %y = Neg(%x) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: bool[2] %y = Abs(%x) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[2] %y = Not(%x) output %y"), ElementsAre("T1"));
  EXPECT_EQ(type_of("input %x: f16[batch,3] %y = IsNaN(%x) output %y"), "bool[batch,3]");
  EXPECT_EQ(type_of("input %x: e4m3[batch,3] %y = Identity(%x) output %y"), "e4m3[batch,3]");
}

TEST(Gelu, both_forms) {
  const double x = 0.7, c = std::sqrt(2 / std::acos(-1.0));
  EXPECT_THAT(run(Gelu{}, {scalar(DType::f64, x)}), Gives(DType::f64, {}, {x / 2 * (1 + std::erf(x / std::sqrt(2)))}));
  const double y = run(Gelu{.approximate = "tanh"}, {scalar(DType::f64, x)}).at(0);
  EXPECT_NEAR(y, x / 2 * (1 + std::tanh(c * (x + 0.044715 * x * x * x))), 1e-15);
  EXPECT_THAT(run(QuickGelu{}, {tensor(f32, {2}, {1, -1})}),
              Gives(f32, {2}, {1 / (1 + std::exp(-double{1.702f})), -1 / (1 + std::exp(double{1.702f}))}));
  EXPECT_THAT(broken("input %x: f16[2] %y = Gelu(%x) {approximate=\"fast\"} output %y"), ElementsAre("A1"));
}

TEST(Cast, floats_round_once) {
  EXPECT_THAT(run(Cast{.to = f16}, {tensor(f32, {2}, {2049, 1e6})}), Gives(f16, {2}, {2048, kInf}));
  EXPECT_THAT(run(Cast{.to = e4m3}, {tensor(f32, {4}, {0.3, 500, -kInf, kNan})}), Gives(e4m3, {4}, {0.3125, 448, -448, kNan}));
  const HostTensor unsaturated = run(Cast{.to = e5m2, .saturate = 0}, {tensor(f32, {4}, {61439, 61440, -kInf, kNan})});
  EXPECT_THAT(unsaturated.as<uint8_t>(), ElementsAre(0x7b, 0x7c, 0xfc, 0x7f));
  const HostTensor nan = run(Cast{.to = e4m3, .saturate = 0}, {tensor(f32, {4}, {464, 464.01, -kInf, 448})});
  EXPECT_THAT(nan.as<uint8_t>(), ElementsAre(0x7e, 0x7f, 0xff, 0x7e));
}

TEST(Cast, integers) {
  EXPECT_THAT(run(Cast{.to = i32}, {tensor(f32, {5}, {1.9, -1.9, kNan, 1e20, -1e20})}),
              Gives(i32, {5}, {1, -1, 0, 2147483647, -2147483648.0}));
  EXPECT_THAT(run(Cast{.to = DType::i8}, {ints({200, -129})}), Gives(DType::i8, {2}, {-56, 127}));
  EXPECT_THAT(run(Cast{.to = b8}, {tensor(f32, {3}, {0, -0.5, kNan})}), Gives(b8, {3}, {0, 1, 1}));
  EXPECT_THAT(run(Cast{.to = i64}, {tensor(b8, {2}, {1, 0})}), Is(ints({1, 0})));
  // 2^54 + 2^30 is a tie of f32; the last bit decides it, and a detour through double would lose that.
  EXPECT_THAT(run(Cast{.to = f32}, {ints({(int64_t{1} << 54) + (int64_t{1} << 30) + 1})}), Gives(f32, {1}, {0x1p54 + 0x1p31}));
  EXPECT_THAT(run(CastLike{}, {ints({3}), scalar(f16, 0)}), Gives(f16, {1}, {3}));
}

TEST(CastRules, type_and_known_elements) {
  EXPECT_THAT(broken("input %x: f32[2] %y = Cast(%x) {to=e8m0} output %y"), ElementsAre("T1"));
  const auto graph = check(R"(
    input %x: f16[batch,77]
    %s = Shape(%x)
    %narrow = Cast(%s) {to=i32}
    %mask = Cast(%narrow) {to=bool}
    %float = Cast(%s) {to=f32}
    %like = CastLike(%s, %narrow)
    output %mask output %float output %like)");
  EXPECT_EQ(graph.elements("narrow"), "[batch,77]");
  EXPECT_EQ(graph.elements("like"), "[batch,77]");
  EXPECT_EQ(graph.type("like"), "i32[2]");
  EXPECT_EQ(graph.elements("mask"), "unknown");  // a batch of 0 would be false
  EXPECT_EQ(graph.elements("float"), "unknown");
  EXPECT_EQ(graph.type("float"), "f32[2]");
}

TEST(Clip, bounds_are_optional) {
  const auto x = tensor(f32, {4}, {-3, 0.5, 3, kNan});
  EXPECT_THAT(run(Clip{}, {x, scalar(f32, -1), scalar(f32, 1)}), Gives(f32, {4}, {-1, 0.5, 1, kNan}));
  EXPECT_THAT(run(Clip{}, {x, std::nullopt, scalar(f32, 1)}), Gives(f32, {4}, {-3, 0.5, 1, kNan}));
  EXPECT_THAT(run(Clip{}, {x}), Is(x));
  EXPECT_THAT(run(Clip{}, {ints({-5, 5}), scalar(i64, 0)}), Is(ints({0, 5})));
}

TEST(ClipRules, types_and_shapes) {
  EXPECT_THAT(broken("input %x: f16[2] const %m: f32[] = {0} %y = Clip(%x, %m) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: u8[2] %y = Clip(%x) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %x: f16[2] const %m: f16[2] = {0,0} %y = Clip(%x, _, %m) output %y"), ElementsAre("S1"));
}

}  // namespace
}  // namespace octet
