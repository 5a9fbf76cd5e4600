// QuantizeLinear and DequantizeLinear.
#include "ops/quantize.h"

#include <bit>

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, bf16 = DType::bf16, e4m3 = DType::e4m3, e5m2 = DType::e5m2, i8 = DType::i8,
                u8 = DType::u8;

const HostTensor& zero() {
  static const HostTensor out = tensor(e4m3, {1}, {0});
  return out;
}

TEST(QuantizeLinear, e4m3_saturates_and_keeps_nan) {
  const auto x = tensor(f32, {6}, {1, 0.3, 1e9, -kInf, kNan, -0.0});
  const HostTensor y = run(QuantizeLinear{}, {x, scalar(f32, 0.5), zero()});
  EXPECT_EQ(y.dtype(), e4m3);
  EXPECT_THAT(y.as<uint8_t>(), ElementsAre(0x40, 0x32, 0x7e, 0xfe, 0x7f, 0x80));  // 2, 0.625 (of 0.6), 448, -448, NaN, -0
  EXPECT_THAT(run(QuantizeLinear{.output_dtype = 17}, {x, scalar(f32, 0.5)}), Is(y));
  EXPECT_EQ(run(QuantizeLinear{.saturate = 0}, {x, scalar(f32, 0.5), zero()}).as<uint8_t>()[2], 0x7f);
  EXPECT_EQ(run(QuantizeLinear{.saturate = 0}, {x, scalar(f32, 0.5), tensor(e5m2, {}, {0})}).as<uint8_t>()[2], 0x7c);
}

TEST(QuantizeLinear, integers_round_half_to_even_around_the_zero_point) {
  const auto x = tensor(f32, {6}, {0.5, 1.5, -2.5, 1000, -1000, kNan});
  EXPECT_THAT(run(QuantizeLinear{}, {x, scalar(f32, 1), scalar(i8, 1)}), Gives(i8, {6}, {1, 3, -1, 127, -128, 1}));
  EXPECT_THAT(run(QuantizeLinear{}, {x, scalar(f32, 1)}), Gives(u8, {6}, {0, 2, 0, 255, 0, 0}));
}

// x / s = 18.997: below 19, the midpoint of 18 and 20, and on it once the quotient is rounded to f16.
TEST(QuantizeLinear, the_division_follows_the_opset) {
  const double s = 0.0625 * (1 + 0x1p-10), x = 1.1884765625;
  const auto in = [&](DType scale) { return std::vector<std::optional<HostTensor>>{scalar(f16, x), scalar(scale, s), zero()}; };
  const double exact = x / s;
  const double half = tensor(f16, {}, {exact}).at(0), single = tensor(f32, {}, {exact}).at(0);
  ASSERT_NE(tensor(e4m3, {}, {half}).at(0), tensor(e4m3, {}, {single}).at(0)) << half << " " << single;
  const auto by_f16 = Gives(e4m3, {}, {half}), by_f32 = Gives(e4m3, {}, {single});
  EXPECT_THAT(run(QuantizeLinear{}, in(f16), 19), by_f32);
  EXPECT_THAT(run(QuantizeLinear{}, in(f16), 22), by_f32);
  EXPECT_THAT(run(QuantizeLinear{}, in(f16), 23), by_f16);
  EXPECT_THAT(run(QuantizeLinear{.precision = 1}, in(f16), 23), by_f32);
  EXPECT_THAT(run(QuantizeLinear{.precision = 10}, in(f32), 25), by_f16);
  EXPECT_THAT(run(QuantizeLinear{}, in(f32), 25), by_f32);
}

TEST(QuantizeLinear, scales_a_slice_or_a_block) {
  const auto x = tensor(f32, {2, 3}, {1, 2, 3, 4, 6, 8});
  EXPECT_THAT(run(QuantizeLinear{.axis = 0}, {x, tensor(f32, {2}, {1, 2}), tensor(e4m3, {2}, {0, 0})}),
              Gives(e4m3, {2, 3}, {1, 2, 3, 2, 3, 4}));
  EXPECT_THAT(run(QuantizeLinear{.axis = -1}, {x, tensor(f32, {3}, {1, 2, 1}), tensor(i8, {3}, {0, 1, 2})}),
              Gives(i8, {2, 3}, {1, 2, 5, 4, 4, 10}));
  EXPECT_THAT(run(QuantizeLinear{.axis = 1, .block_size = 2, .output_dtype = 17}, {x, tensor(f32, {2, 2}, {1, 3, 2, 4})}),
              Gives(e4m3, {2, 3}, {1, 2, 1, 2, 3, 2}));
}

TEST(DequantizeLinear, every_layout) {
  const auto q = tensor(e4m3, {2, 3}, {1, 2, -3, 448, 0.5, kNan});
  EXPECT_THAT(run(DequantizeLinear{}, {q, scalar(f16, 0.25)}), Gives(f16, {2, 3}, {0.25, 0.5, -0.75, 112, 0.125, kNan}));
  EXPECT_THAT(run(DequantizeLinear{.output_dtype = 1}, {q, scalar(f16, 0.25), zero()}),
              Gives(f32, {2, 3}, {0.25, 0.5, -0.75, 112, 0.125, kNan}));
  EXPECT_THAT(run(DequantizeLinear{.axis = 0}, {q, tensor(bf16, {2}, {1, 2})}), Gives(bf16, {2, 3}, {1, 2, -3, 896, 1, kNan}));
  EXPECT_THAT(run(DequantizeLinear{.block_size = 2}, {q, tensor(f32, {2, 2}, {1, 3, 2, 4})}), Gives(f32, {2, 3}, {1, 2, -9, 896, 1, kNan}));
  EXPECT_THAT(run(DequantizeLinear{}, {tensor(u8, {2}, {3, 250}), scalar(f32, 0.5), scalar(u8, 5)}), Gives(f32, {2}, {-1, 122.5}));
  EXPECT_THAT(run(DequantizeLinear{}, {tensor(DType::i32, {1}, {-7}), scalar(f32, 0.5)}), Gives(f32, {1}, {-3.5}));
  EXPECT_THAT(run(DequantizeLinear{}, {tensor(e4m3, {0, 2}, {}), scalar(f32, 0.5)}), Gives(f32, {0, 2}, {}));
}

TEST(DequantizeLinear, rounds_the_exact_product_once) {
  for (int code = 0; code < 0x7f; ++code) {
    HostTensor q(e4m3, {1});
    q.mut<uint8_t>()[0] = static_cast<uint8_t>(code);
    const double s = 0.0022315979, exact = q.at(0) * tensor(f16, {}, {s}).at(0);
    EXPECT_THAT(run(DequantizeLinear{}, {q, scalar(f16, s)}), Gives(f16, {1}, {exact})) << code;
  }
}

std::vector<std::string> q_rules(const std::string& x, const std::string& scale, const std::string& rest,
                                 const std::string& attributes = "axis=1") {
  const bool given = scale.find('=') != std::string::npos;
  const bool constant = x.find('=') != std::string::npos;
  return broken((constant ? "const %x: " : "input %x: ") + x + (given ? " const %s: " : " input %s: ") + scale +
                " const %z: e4m3[1] = {0} const %n: e4m3[1] = {1}" +
                " const %w: e4m3[2] = {0,0} const %i: i32[1] = {0} %y = QuantizeLinear(%x, %s" + rest + ") {" + attributes + "} output %y");
}

TEST(QuantizeLinearRules, types) {
  EXPECT_THAT(q_rules("f16[batch,8]", "f16[] = {0.5}", ", %z"), ElementsAre());
  EXPECT_THAT(q_rules("f16[batch,8]", "f32[] = {0.5}", ", %z"), ElementsAre());
  EXPECT_THAT(q_rules("i32[2,8]", "f32[] = {0.5}", ", %z"), ElementsAre("T1"));
  EXPECT_THAT(q_rules("f32[2,8]", "f16[] = {0.5}", ", %z"), ElementsAre("T2"));
  EXPECT_THAT(q_rules("f16[2,8]", "bf16[] = {0.5}", ", %z"), ElementsAre("T2"));
  EXPECT_THAT(q_rules("f16[2,8]", "i32[] = {1}", ", %z"), ElementsAre("T2"));
  EXPECT_THAT(q_rules("f16[2,8]", "f16[] = {0.5}", ", %z", "output_dtype=19"), ElementsAre("T3"));
  EXPECT_THAT(q_rules("f16[2,8]", "f16[] = {0.5}", ", %i"), ElementsAre("T4"));
  EXPECT_THAT(q_rules("f16[2,8]", "f16[] = {0.5}", "", "output_dtype=999"), ElementsAre("T3"));
  EXPECT_THAT(q_rules("f16[2,8]", "f16[] = {0.5}", ", %z", "precision=17"), ElementsAre("A1"));
  const auto found =
      check("input %x: f32[2] const %s: f16[] = {0.5} const %z: e4m3[1] = {0} %y = QuantizeLinear(%x, %s, %z) output %y").violations;
  EXPECT_EQ(found.at(0).fix, "insert Cast to f16 after `x`, or store the scale `s` as f32");
}

TEST(QuantizeLinearRules, values) {
  for (const char* bad : {"0", "-0.5", "inf", "nan"})
    EXPECT_THAT(q_rules("f16[2,8]", std::string("f16[] = {") + bad + "}", ", %z"), ElementsAre("Q1")) << bad;
  EXPECT_THAT(q_rules("f16[2,8]", "f16[] = {0.5}", ", %n"), ElementsAre("Q2"));
  EXPECT_THAT(q_rules("f16[2,8]", "f16[] = {0.5}", ", %w"), ElementsAre("S2"));
}

TEST(QuantizeLinearRules, layouts) {
  EXPECT_THAT(q_rules("f16[2,2]", "f16[2] = {1,1}", ", %w"), ElementsAre("Q3"));
  EXPECT_THAT(q_rules("f16[2,2] = {1,1,1,1}", "f16[2] = {1,1}", ", %w"), ElementsAre());
  EXPECT_THAT(q_rules("f16[2,3]", "f16[2] = {1,1}", ", %w"), ElementsAre("S1"));
  const std::string body =
      " const %s: f16[2] = {1,1} const %z: e4m3[2] = {0,0} %t = Transpose(%x) %i = Identity(%t) %y = QuantizeLinear(%i, %s, %z) output %y";
  EXPECT_THAT(check("const %x: f16[2,2] = {1,2,3,4}" + body).rules(), ElementsAre());  // what only constants go into is one
  EXPECT_THAT(check("input %x: f16[2,2]" + body).rules(), ElementsAre("Q3"));
  EXPECT_THAT(q_rules("f16[2,2] = {1,1,1,1}", "f16[2] = {1,1}", ", %w", "axis=2"), ElementsAre("A1"));
  EXPECT_THAT(q_rules("f16[2,2]", "f16[] = {1}", ", %z", "block_size=-1"), ElementsAre("A1"));
  EXPECT_THAT(q_rules("f16[2,2] = {1,1,1,1}", "f16[2,2] = {1,1,1,1}", "", "output_dtype=17, block_size=1"), ElementsAre());
  EXPECT_THAT(q_rules("f16[2,2] = {1,1,1,1}", "f16[2,2] = {1,1,1,1}", "", "output_dtype=17, block_size=2"), ElementsAre("S1"));
}

TEST(DequantizeLinearRules, types) {
  const auto rules = [](const std::string& x, const std::string& rest, const std::string& attributes = "axis=1") {
    return broken("input %x: " + x +
                  " const %h: f16[] = {1} const %z: e4m3[1] = {0} const %u: u8[1] = {0} const %i: i32[1] = {0} const %d: f64[] = {1} " +
                  "const %neg: f16[] = {-1} const %two: f16[2] = {1,1} const %n: e4m3[1] = {-2} %y = DequantizeLinear(%x, " + rest + ") {" +
                  attributes + "} output %y");
  };
  EXPECT_THAT(rules("e4m3[2,3]", "%h"), ElementsAre());
  EXPECT_THAT(rules("e4m3[2,2]", "%two"), ElementsAre());
  EXPECT_THAT(rules("f16[2,3]", "%h"), ElementsAre("T1"));
  EXPECT_THAT(rules("e4m3[2,3]", "%d"), ElementsAre("T2"));
  EXPECT_THAT(rules("e4m3[2,3]", "%h, %u"), ElementsAre("T3"));
  EXPECT_THAT(rules("e4m3[2,3]", "%h", "output_dtype=6"), ElementsAre("T4"));
  EXPECT_THAT(rules("e4m3[2,3]", "%neg"), ElementsAre("Q1"));
  EXPECT_THAT(rules("e4m3[2,3]", "%h, %n"), ElementsAre("Q2"));
  EXPECT_THAT(rules("i32[2,3]", "%h, %i"), ElementsAre("Q2"));
  EXPECT_THAT(rules("e4m3[2,3]", "%two"), ElementsAre("S1"));
  EXPECT_EQ(type_of("input %x: e4m3[batch,3] const %s: bf16[] = {1} %y = DequantizeLinear(%x, %s) output %y"), "bf16[batch,3]");
  EXPECT_EQ(type_of("input %x: e4m3[batch,3] const %s: f32[] = {1} %y = DequantizeLinear(%x, %s) {output_dtype=10} output %y"),
            "f16[batch,3]");
}

TEST(OnnxNumbers, go_both_ways) {
  for (int i = 0; i < kDTypeCount; ++i) EXPECT_EQ(from_onnx_number(onnx_number(static_cast<DType>(i))), static_cast<DType>(i));
  EXPECT_EQ(from_onnx_number(17), e4m3);
  EXPECT_EQ(from_onnx_number(0), std::nullopt);
  EXPECT_EQ(from_onnx_number(8), std::nullopt);  // strings
}

}  // namespace
}  // namespace octet
