#include "oracle/exact.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "oracle/testing.h"

namespace octet::oracle {
namespace {

using testing::Memory;
using testing::Naive;
constexpr int64_t kBatch = 3;

// Plans with the operations' variants that the two towers lack.
std::vector<plan::Plan> variants() {
  std::vector<plan::Plan> plans{plan::testing::text_plan(),           plan::testing::image_plan(), plan::testing::unfused_plan(),
                                plan::testing::fake_quantized_plan(), plan::testing::bytes_plan(), plan::testing::rounded_sums_plan()};
  for (const auto activation : {plan::Activation::kGeluErf, plan::Activation::kGeluTanh}) {
    plan::Plan plan = plan::testing::image_plan(3);
    std::get<plan::Gemm>(plan.steps[2].op).activation = activation;
    plans.push_back(plan);
  }
  plan::Plan plan = plan::testing::text_plan(4);
  auto& attention = std::get<plan::Attention>(plan.steps[3].op);
  attention.causal = 0, attention.p_scale = 0;
  auto& pool = std::get<plan::Pool>(plan.steps[6].op);
  pool.mode = plan::PoolMode::kFirstEqual, pool.index = 6;
  plans.push_back(plan);
  plan = plan::testing::image_plan(5);
  std::get<plan::PatchEmbed>(plan.steps[0].op).bias = plan::kNoId;
  plan.buffers[0].dtype = DType::f32;
  plans.push_back(plan);
  return plans;
}

TEST(ExactStep, AgreesWithTheDefinitions) {
  for (const plan::Plan& plan : variants()) {
    const Memory memory(plan, kBatch, 11);
    for (size_t step = 0; step < plan.steps.size(); ++step) {
      const ExactOutput out = exact_step(plan, step, memory.pointers, kBatch);
      const Naive naive{plan, memory};
      ASSERT_EQ(out.rows.size(), static_cast<size_t>(kBatch * rows_per_item(plan, plan.steps[step])));
      for (size_t i = 0; i < out.value.size(); ++i) {
        const auto row = static_cast<int64_t>(i) / out.cols, col = static_cast<int64_t>(i) % out.cols;
        const double expected = std::visit([&](const auto& op) { return naive(op, row, col); }, plan.steps[step].op);
        // f64 against long double: far below any f32 bound. 1e-12 covers 40-term sums of values up to 1e3 that cancel.
        ASSERT_NEAR(out.value[i], expected, 1e-12 * (1 + std::abs(expected)))
            << plan.name << " " << plan.steps[step].name << " element " << i;
        ASSERT_GE(out.bound[i], 0);
      }
    }
  }
}

TEST(ExactStep, SelectedRowsAndThreadsChangeNothing) {
  for (const plan::Plan& plan : variants()) {
    const Memory memory(plan, kBatch, 12);
    ThreadPool pool(3);
    for (size_t step = 0; step < plan.steps.size(); ++step) {
      const ExactOutput all = exact_step(plan, step, memory.pointers, kBatch);
      const auto last = static_cast<int64_t>(all.rows.size()) - 1;
      const int64_t rows[] = {last, 0, last / 2};
      const ExactOutput some = exact_step(plan, step, memory.pointers, kBatch, rows, &pool);
      ASSERT_EQ(some.value.size(), 3 * static_cast<size_t>(all.cols));
      for (size_t i = 0; i < some.value.size(); ++i) {
        const auto from = static_cast<size_t>(rows[i / static_cast<size_t>(all.cols)] * all.cols) + i % static_cast<size_t>(all.cols);
        ASSERT_EQ(some.value[i], all.value[from]);
        ASSERT_EQ(some.bound[i], all.bound[from]);
      }
    }
  }
}

TEST(ExactStep, RunExactRoundsOnce) {
  const plan::Plan plan = plan::testing::text_plan();
  const Memory memory(plan, kBatch, 13);
  for (size_t step = 0; step < plan.steps.size(); ++step) {
    const ExactOutput exact = exact_step(plan, step, memory.pointers, kBatch);
    const DType dtype = plan.buffers[plan::out_of(plan.steps[step].op)].dtype;
    std::vector<std::byte> out(exact.value.size() * size_of(dtype)), expected(out.size());
    run_exact(plan, step, memory.pointers, kBatch, out.data());
    encode(dtype, exact.value.data(), static_cast<int64_t>(exact.value.size()), expected.data(), 0);
    EXPECT_EQ(out, expected) << plan.steps[step].name;
  }
}

TEST(ExactStep, ResidualMayBeTheOutput) {
  const plan::Plan plan = plan::testing::text_plan();
  Memory memory(plan, kBatch, 14);
  std::vector<std::byte> apart(memory.data[1].size());
  run_exact(plan, 4, memory.pointers, kBatch, apart.data());
  run_exact(plan, 4, memory.pointers, kBatch, memory.data[1].data());  // in place
  EXPECT_EQ(memory.data[1], apart);
}

TEST(ExactStep, RefusesTokensOutsideTheVocabulary) {
  const plan::Plan plan = plan::testing::text_plan();
  Memory memory(plan, kBatch, 15);
  const int64_t id = 11;
  std::memcpy(memory.data[0].data() + 8 * 7, &id, 8);
  try {
    exact_step(plan, 0, memory.pointers, kBatch);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("item 1, position 2: token id 11 is outside the vocabulary [0, 11)"));
  }
}

TEST(Codec, DecodesAndEncodesEveryType) {
  for (const DType dtype : {DType::e4m3, DType::f16, DType::bf16, DType::f32}) {
    std::vector<double> values(1000), back(1000);
    std::mt19937 random(1);
    for (double& value : values) value = std::uniform_real_distribution<double>(-400, 400)(random);
    std::vector<std::byte> bytes(1010 * size_of(dtype));
    encode(dtype, values.data(), 1000, bytes.data(), 10);
    decode(dtype, bytes.data(), 10, 1000, back.data());
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(back[i], testing::element(dtype, bytes.data(), static_cast<int64_t>(i) + 10));
    const double unit = dtype == DType::e4m3 ? 0x1p-4 : dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0x1p-24;
    for (size_t i = 0; i < values.size(); ++i) ASSERT_LE(std::abs(back[i] - values[i]), std::max(unit * std::abs(values[i]), 0x1p-10));
  }
}

}  // namespace
}  // namespace octet::oracle
