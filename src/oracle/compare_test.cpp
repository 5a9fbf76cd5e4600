#include "oracle/compare.h"

#include <gmock/gmock.h>

#include <numeric>

#include "oracle/backend.h"
#include "oracle/testing.h"

namespace octet::oracle {
namespace {

using testing::element;
using testing::Memory;

// A plan of one GEMM [3, k] x [n, k] with bias.
plan::Plan gemm_plan(DType in, DType out, int64_t k, plan::Activation activation, bool residual, uint32_t seed) {
  constexpr int64_t kN = 20;
  plan::testing::Builder b(seed);
  const plan::Id a = b.bound("a", in, {3, k}, true), y = b.bound("y", out, {3, kN}, false);
  const plan::Id rest = residual ? b.bound("rest", out, {3, kN}, true) : plan::kNoId;
  const float scale = out == DType::e4m3 ? 0.05f : 1.0f, alpha = in == DType::e4m3 ? 1e-3f : 1.0f;
  plan::Gemm gemm{a,
                  y,
                  rest,
                  b.weight("w", in, {kN, k}),
                  b.weight("bias", DType::f16, {kN}),
                  plan::kNoId,
                  3,
                  kN,
                  static_cast<uint32_t>(k),
                  activation,
                  {{0, 7, alpha, 1, scale}, {7, kN, 2 * alpha, 0.5f, out == DType::e4m3 ? 2 * scale : 1}}};
  b.step("gemm", gemm);
  return b.plan;
}

// What a plain f32 kernel makes of it: products summed one by one, forwards or backwards.
std::vector<std::byte> f32_gemm(const plan::Plan& plan, const Memory& memory, int64_t batch, bool backwards, float spoil = 1) {
  const auto& op = std::get<plan::Gemm>(plan.steps[0].op);
  const DType out = plan.buffers[op.out].dtype;
  std::vector<double> values;
  const auto at = [&](plan::Id id, int64_t i) { return static_cast<float>(element(plan.buffers[id].dtype, memory.pointers[id], i)); };
  const auto weight = [&](plan::Id id, int64_t i) {
    return static_cast<float>(element(plan.weights[id].dtype, plan.weight_bytes[id].data(), i));
  };
  for (int64_t row = 0; row < batch * op.rows; ++row)
    for (int64_t n = 0; n < op.n; ++n) {
      float sum = 0;
      for (int64_t i = 0; i < op.k; ++i) {
        const int64_t k = backwards ? op.k - 1 - i : i;
        sum += at(op.a, row * op.k + k) * weight(op.weight, n * op.k + k);
      }
      const plan::ColumnRange& range = op.ranges[n < 7 ? 0 : 1];
      float y = sum * (range.alpha * spoil) + weight(op.bias, n);
      if (op.activation == plan::Activation::kQuickGelu) y = y / (1 + std::exp(-1.702f * y));
      if (op.activation == plan::Activation::kGeluErf) y = 0.5f * y * std::erfc(-y * 0.70710678f);
      y *= range.mul;
      if (op.residual != plan::kNoId) y += at(op.residual, row * op.n + n);
      values.push_back(out == DType::e4m3 ? y * (1.0f / range.out_scale) : y);
    }
  std::vector<std::byte> bytes(values.size() * size_of(out));
  encode(out, values.data(), static_cast<int64_t>(values.size()), bytes.data(), 0);
  return bytes;
}

TEST(Judge, ExplainsWhateverF32ArithmeticDoes) {
  int64_t differing = 0;
  for (uint32_t seed = 0; seed < 24; ++seed) {
    const bool residual = seed % 2 == 1;
    const DType in = seed % 3 == 0 ? DType::f16 : seed % 3 == 1 ? DType::e4m3 : DType::bf16;
    const DType out = residual ? (seed % 4 == 1 ? DType::f16 : DType::f32) : DType::e4m3;
    const auto activation = static_cast<plan::Activation>(seed / 2 % 3);
    const plan::Plan plan = gemm_plan(in, out, 100 + 400 * (seed % 5), activation, residual, seed);
    const Memory memory(plan, 4, seed);
    const ExactOutput exact = exact_step(plan, 0, memory.pointers, 4);
    for (const bool backwards : {false, true}) {
      const StepVerdict verdict = judge(plan, 0, exact, f32_gemm(plan, memory, 4, backwards));
      EXPECT_EQ(verdict.elements, 4 * 3 * 20);
      EXPECT_EQ(verdict.unexplained, 0) << "seed " << seed << " first " << verdict.first_unexplained << " max_abs " << verdict.max_abs;
      EXPECT_GT(verdict.cosine, 0.99);  // some e4m3 outputs saturate
      differing += verdict.differing;
    }
  }
  EXPECT_GT(differing, 0) << "f32 and f64 never rounded apart: the bound was not put to the test";
}

TEST(Judge, FindsAScaleThatIsOffByHalfAPercent) {
  for (const DType out : {DType::f16, DType::e4m3}) {
    const plan::Plan plan = gemm_plan(DType::e4m3, out, 256, plan::Activation::kNone, false, 3);
    const Memory memory(plan, 4, 3);
    const StepVerdict verdict = judge(plan, 0, exact_step(plan, 0, memory.pointers, 4), f32_gemm(plan, memory, 4, false, 1.005f));
    EXPECT_GT(verdict.unexplained, 0);
    EXPECT_GE(verdict.first_unexplained, 0);
  }
}

// One row of four e4m3 outputs, judged against given values and bounds.
StepVerdict judge_codes(std::vector<double> value, std::vector<double> bound, std::vector<uint8_t> codes) {
  plan::testing::Builder b(1);
  const plan::Id in = b.bound("x", DType::f16, {4}, true), out = b.bound("y", DType::e4m3, {4}, false);
  b.step("norm", plan::Norm{in, out, b.weight("g", DType::f16, {4}), plan::kNoId, 1, 4, 0, 0.5f});
  return judge(b.plan, 0, {{0}, 4, std::move(value), std::move(bound)}, std::as_bytes(std::span(codes)));
}

TEST(Judge, MidpointsWithinTheBoundAreExplained) {
  const uint8_t one = encode_e4m3(1.0), next = encode_e4m3(1.125);
  const double middle = 1.0625;  // ties to even: 1.0
  EXPECT_EQ(judge_codes({1, 1, 1, 1}, {0, 0, 0, 0}, {one, one, one, one}).differing, 0);
  const StepVerdict verdict =
      judge_codes({middle - 0.001, middle - 0.001, middle + 0.001, middle + 0.001}, {0.0005, 0.002, 0.0005, 0.002}, {next, next, one, one});
  EXPECT_EQ(verdict.differing, 4);
  EXPECT_EQ(verdict.unexplained, 2);
  EXPECT_EQ(verdict.first_unexplained, 0);
  EXPECT_EQ(verdict.max_ulp, 1);
  EXPECT_NEAR(verdict.max_abs, 0.5 * 0.0635, 1e-12) << "scales are applied";
}

TEST(Judge, ZerosNansAndSaturation) {
  const double nan = std::nan("");
  EXPECT_EQ(judge_codes({-0.0, 0.0, nan, 1e9}, {0, 0, 0, 0}, {0x00, 0x80, 0xff, 0x7e}).differing, 0);
  EXPECT_EQ(judge_codes({1, 1, 1, 1}, {9, 9, 9, 9}, {0x7f, 0x7f, 0x7f, 0x7f}).unexplained, 4) << "a NaN out of numbers";
  EXPECT_EQ(judge_codes({nan, nan, nan, nan}, {nan, nan, nan, nan}, {0, 0, 0, 0}).differing, 4);
}

TEST(Judge, UlpsCountRepresentableValues) {
  const auto ulps = [](double exact, double actual) {
    return judge_codes({exact, exact, exact, exact}, {0, 0, 0, 0}, std::vector<uint8_t>(4, encode_e4m3(actual))).max_ulp;
  };
  EXPECT_EQ(ulps(1, 1), 0);
  EXPECT_EQ(ulps(1, 1.25), 2);
  EXPECT_EQ(ulps(-0x1p-9, 0x1p-9), 2) << "two subnormals with zero between them";
  EXPECT_EQ(ulps(0x1p-6, -0.0), 8) << "the smallest normal is the eighth code";
  EXPECT_EQ(ulps(1, std::nan("")), 0);
}

TEST(Judge, CosineAndSqnrByTheirFormulas) {
  const StepVerdict verdict =
      judge_codes({1, 2, 3, 4}, {0, 0, 0, 0}, {encode_e4m3(1.0), encode_e4m3(2.0), encode_e4m3(3.0), encode_e4m3(5.0)});
  EXPECT_NEAR(verdict.cosine, (1 + 4 + 9 + 20) / std::sqrt(30.0 * 39.0), 1e-12);
  EXPECT_NEAR(verdict.sqnr_db, 10 * std::log10(30.0), 1e-12);
  EXPECT_EQ(judge_codes({1, 1, 1, 1}, {0, 0, 0, 0}, {0x38, 0x38, 0x38, 0x38}).sqnr_db, INFINITY);
}

TEST(TeacherForce, FindsNothingWrongInTheOracleItself) {
  for (const plan::Plan& plan : {plan::testing::text_plan(), plan::testing::image_plan(), plan::testing::bytes_plan()}) {
    const auto executable = make_backend()->prepare(std::make_shared<plan::Plan>(plan), {.threads = 2});
    const auto context = executable->new_context();
    context->reserve(3);
    const Memory memory(plan, 3, 5);
    const void* inputs[] = {memory.pointers[0]};
    size_t steps = 0;
    for (const int64_t rows : {0, 4, 1})
      teacher_force(plan, *context, inputs, 3, rows, [&](size_t, const StepVerdict& verdict) {
        ++steps;
        EXPECT_GT(verdict.elements, 0);
        EXPECT_EQ(verdict.differing, 0);
        EXPECT_GT(verdict.cosine, 0.99);
      });
    EXPECT_EQ(steps, 3 * plan.steps.size());
  }
}

}  // namespace
}  // namespace octet::oracle
