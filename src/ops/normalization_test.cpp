// Softmax, LayerNormalization, LpNormalization: what works on slices of an axis.
#include <cmath>

#include "ops/layer_normalization.h"
#include "ops/lp_normalization.h"
#include "ops/softmax.h"
#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, bf16 = DType::bf16, f64 = DType::f64;

TEST(Softmax, by_formula_along_any_axis) {
  const double e = std::exp(1.0), sum = 1 + e;
  EXPECT_THAT(run(Softmax{}, {tensor(f32, {2, 2}, {0, 1, 1, 0})}),
              Gives(f32, {2, 2}, {1 / e / (1 + 1 / e), 1 / (1 + 1 / e), 1 / (1 + 1 / e), 1 / e / (1 + 1 / e)}));
  const auto along_rows = run(Softmax{.axis = -2}, {tensor(f64, {2, 2}, {0, 5, 1, 5})});
  EXPECT_NEAR(along_rows.at(0), 1 / sum, 1e-15);
  EXPECT_NEAR(along_rows.at(2), e / sum, 1e-15);
  EXPECT_EQ(along_rows.at(1), 0.5);
  EXPECT_EQ(along_rows.at(3), 0.5);
}

TEST(Softmax, special_values) {
  EXPECT_THAT(run(Softmax{}, {tensor(f16, {1, 3}, {-kInf, 2, -kInf})}), Gives(f16, {1, 3}, {0, 1, 0}));
  EXPECT_THAT(run(Softmax{}, {tensor(f16, {2}, {-kInf, -kInf})}), Gives(f16, {2}, {kNan, kNan}));
  EXPECT_THAT(run(Softmax{}, {tensor(f16, {2}, {60000, 60000})}), Gives(f16, {2}, {0.5, 0.5}));
  EXPECT_THAT(run(Softmax{}, {tensor(f16, {0, 4}, {})}), Gives(f16, {0, 4}, {}));
  EXPECT_THAT(run(Softmax{}, {tensor(f16, {4, 0}, {})}), Gives(f16, {4, 0}, {}));
}

TEST(SoftmaxRules, type_and_axis) {
  EXPECT_EQ(type_of("input %x: bf16[batch,12,77,77] %y = Softmax(%x) output %y"), "bf16[batch,12,77,77]");
  EXPECT_THAT(broken("input %x: i64[2] %y = Softmax(%x) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f32[2] %y = Softmax(%x) {axis=1} output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f32[2] %y = Softmax(%x) {axis=-9223372036854775808} output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f32[] %y = Softmax(%x) output %y"), ElementsAre("S1"));
}

TEST(LayerNormalization, by_formula) {
  const auto x = tensor(f32, {2, 2}, {1, 3, -2, 2}), gamma = tensor(f32, {2}, {2, 0.5}), beta = tensor(f32, {2}, {0.25, -1});
  const double a = 1 / std::sqrt(1 + double{1e-5f}), b = 2 / std::sqrt(4 + double{1e-5f});
  const auto expected = Gives(f32, {2, 2}, {-a * 2 + 0.25, a * 0.5 - 1, -b * 2 + 0.25, b * 0.5 - 1});
  EXPECT_THAT(run(LayerNormalization{}, {x, gamma, beta}), expected);
  EXPECT_THAT(run(LayerNormalization{}, {x, gamma}), Gives(f32, {2, 2}, {-a * 2, a * 0.5, -b * 2, b * 0.5}));
  const auto all = run_all(LayerNormalization{.stash_type = 16}, {x, gamma, beta});
  EXPECT_THAT(all[1], Gives(bf16, {2, 1}, {2, 0}));
  EXPECT_THAT(all[2], Gives(bf16, {2, 1}, {a, b / 2}));
}

TEST(LayerNormalization, several_axes_and_wide_scales) {
  const auto x = tensor(f64, {1, 2, 2}, {1, 1, 3, 3});
  const double a = 1 / std::sqrt(1 + double{1e-5f});
  EXPECT_THAT(run(LayerNormalization{.axis = 1}, {x, tensor(f64, {2, 1}, {1, 10})}), Gives(f64, {1, 2, 2}, {-a, -a, a * 10, a * 10}));
  EXPECT_THAT(run(LayerNormalization{}, {tensor(f16, {0, 3}, {}), tensor(f16, {3}, {1, 1, 1})}), Gives(f16, {0, 3}, {}));
}

TEST(LayerNormalizationRules, types_and_shapes) {
  EXPECT_EQ(type_of("input %x: f16[batch,77,768] const %g: f16[1] = {1} %y = LayerNormalization(%x, %g, %g) output %y"),
            "f16[batch,77,768]");
  const auto three = check(
      "input %x: f16[batch,7,8] const %g: f16[1] = {1} %y, %m, %d = LayerNormalization(%x, %g) {axis=1} output %y output %m output %d");
  EXPECT_EQ(three.type("m"), "f32[batch,1,1]");
  EXPECT_EQ(three.type("d"), "f32[batch,1,1]");
  const std::string f16_input = "input %x: f16[batch,3] const %g: f16[1] = {1} ";
  EXPECT_THAT(broken("input %x: i32[2] const %g: i32[1] = {1} %y = LayerNormalization(%x, %g) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken(f16_input + "const %b: f32[1] = {1} %y = LayerNormalization(%x, %g, %b) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken(f16_input + "%y = LayerNormalization(%x, %g) {stash_type=10} output %y"), ElementsAre("A1"));
  EXPECT_THAT(broken(f16_input + "%y = LayerNormalization(%x, %g) {axis=2} output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[batch,1] const %g: f16[2] = {1,1} %y = LayerNormalization(%x, %g) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %x: f16[3] const %g: f16[1,3] = {1,1,1} %y = LayerNormalization(%x, %g) output %y"), ElementsAre("S2"));
}

TEST(LpNormalization, both_norms_and_zero) {
  const auto x = tensor(f32, {2, 2}, {3, 4, 0, 0});
  EXPECT_THAT(run(LpNormalization{}, {x}), Gives(f32, {2, 2}, {0.6, 0.8, 0, 0}));
  EXPECT_THAT(run(LpNormalization{.axis = 0, .p = 1}, {tensor(f32, {2, 1}, {-1, 3})}), Gives(f32, {2, 1}, {-0.25, 0.75}));
  EXPECT_THAT(run(LpNormalization{}, {tensor(f32, {0, 2}, {})}), Gives(f32, {0, 2}, {}));
}

TEST(LpNormalizationRules, types_and_attributes) {
  EXPECT_THAT(broken("input %x: i64[2] %y = LpNormalization(%x) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[2] %y = LpNormalization(%x) {p=3} output %y"), ElementsAre("A1"));
  EXPECT_THAT(broken("input %x: f16[2] %y = LpNormalization(%x) {axis=-2} output %y"), ElementsAre("S1"));
}

}  // namespace
}  // namespace octet
