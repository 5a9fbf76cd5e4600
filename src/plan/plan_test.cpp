#include "plan/plan.h"

#include <gmock/gmock.h>

#include "plan/print.h"
#include "plan/testing.h"
#include "plan/uses.h"

namespace octet::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Plan, KindsAndProblemStrings) {
  std::vector<std::string> kinds, problems;
  for (const Plan& plan : {testing::text_plan(), testing::image_plan()})
    for (const Step& step : plan.steps) {
      kinds.emplace_back(kind_of(step.op));
      problems.push_back(problem_of(plan, step, 8));
    }
  EXPECT_THAT(kinds, ElementsAre("embed", "norm", "gemm", "attention", "gemm", "norm", "pool", "gemm", "l2normalize", "patch_embed", "norm",
                                 "gemm", "gemm", "pool", "norm"));
  EXPECT_THAT(problems,
              ElementsAre("embed:i64:8x5x24", "norm:f16->e4m3:40x24", "gemm:e4m3xe4m3->e4m3:40x72x24+bias",
                          "attention:e4m3->e4m3:8x3x5x8+causal", "gemm:e4m3xe4m3->f16:40x24x24+bias+residual", "norm:f16->f16:40x24",
                          "pool:8x5x24", "gemm:f16xf16->f16:8x6x24", "l2normalize:8x6", "patch_embed:f16:8x3x6x4/2->16",
                          "norm:f16->e4m3:56x16", "gemm:e4m3xe4m3->e4m3:56x40x16+bias+quick_gelu",
                          "gemm:e4m3xe4m3->f16:56x16x40+bias+residual", "pool:8x7x16", "norm:f16->f16:8x16"));
}

TEST(Plan, AUint8PictureHasATable) {
  const Plan plan = testing::bytes_plan();
  EXPECT_EQ(problem_of(plan, plan.steps[0], 8), "patch_embed:u8:8x3x6x4/2->16");
  EXPECT_THAT(print(plan), HasSubstr("input pixel_values: u8[6,4,3]"));
  const Id table = std::get<PatchEmbed>(plan.steps[0].op).table;
  EXPECT_EQ(weights_of(plan.steps[0].op).back(), table);
  EXPECT_EQ(plan.weights[table].dims, (std::vector<int64_t>{3, 256}));
}

TEST(Plan, UnfusedAttentionIsThreeSteps) {
  const Plan plan = testing::unfused_plan();
  std::vector<std::string> problems;
  for (size_t i = 3; i < 6; ++i) problems.push_back(problem_of(plan, plan.steps[i], 8));
  EXPECT_THAT(problems,
              ElementsAre("scores:e4m3->f16:8x3x5x8+causal", "softmax:f16->e4m3:120x5+causal", "values:e4m3xe4m3->e4m3:8x3x5x8+causal"));
}

TEST(Plan, AttentionProblemSaysWhenProbabilitiesAreUnusual) {
  Plan plan = testing::text_plan();
  auto& attention = std::get<Attention>(plan.steps[3].op);
  attention.p_scale = 0;
  EXPECT_EQ(problem_of(plan, plan.steps[3], 1), "attention:e4m3->e4m3:1x3x5x8+causal+float_p");
  plan.buffers[attention.q.buffer].dtype = DType::f16;
  EXPECT_EQ(problem_of(plan, plan.steps[3], 1), "attention:f16->e4m3:1x3x5x8+causal");
}

TEST(Plan, BytesPerItem) {
  EXPECT_EQ(bytes_per_item({"x", DType::f16, {257, 1024}, 0, 0}), 257u * 1024 * 2);
  EXPECT_EQ(bytes_per_item({"ids", DType::i64, {77}, 0, 1}), 616u);
  EXPECT_THROW(bytes_per_item({"x", DType::f32, {1LL << 40, 1LL << 40}, 0, 0}), Error);
}

TEST(Plan, Uses) {
  const Plan plan = testing::text_plan();
  EXPECT_THAT(reads_of(plan.steps[3].op), ElementsAre(3, 3, 3));  // q, k, v of one buffer
  EXPECT_THAT(reads_of(plan.steps[4].op), ElementsAre(4, 1));     // a, residual
  EXPECT_EQ(out_of(plan.steps[4].op), 1u);
  EXPECT_THAT(weights_of(plan.steps[5].op), ElementsAre(8));  // no beta
}

TEST(Plan, PrintsOneLineAStep) {
  const std::string text = print(testing::text_plan());
  EXPECT_THAT(text, HasSubstr("input input_ids: i64[5]\n0 embed: embed:i64:1x5x24 input_ids -> x f16[5,24]@0\n"));
  EXPECT_THAT(text,
              HasSubstr("\n4 proj: gemm:e4m3xe4m3->f16:5x24x24+bias+residual att x -> x f16[5,24]@0 ; output is f16: no Q follows\n"));
  EXPECT_THAT(text, HasSubstr("\noutput text_embeds: f16[6]\noutput unit: f16[6]\n"));
}

TEST(Plan, PrintMakesHostileNamesSafe) {
  Plan plan = testing::text_plan();
  plan.steps[0].name = "a\nb\x1b[2J";
  EXPECT_THAT(print(plan), HasSubstr("0 a\\x0ab\\x1b[2J: "));
}

}  // namespace
}  // namespace octet::plan
