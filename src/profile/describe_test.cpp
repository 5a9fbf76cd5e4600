// What a report says of steps before any is timed, by hand on the small plans of the plan's own tests.
#include <gmock/gmock.h>

#include "plan/testing.h"
#include "profile/collect.h"
#include "profile/work.h"

namespace octet::profile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class NoExecutable : public Executable {
 public:
  explicit NoExecutable(size_t steps, std::string kernel = "kernel_x")
      : choices_(steps, StepChoice{std::move(kernel), "", {"better: no"}, {}}) {}
  std::span<const StepChoice> choices() const override { return choices_; }
  uint64_t weight_bytes() const override { return 77; }
  uint64_t arena_bytes(int64_t batch) const override { return 1000 * static_cast<uint64_t>(batch); }
  std::unique_ptr<Context> new_context() const override { return nullptr; }

 private:
  std::vector<StepChoice> choices_;
};

TEST(Work, IsCountedByHand) {
  const plan::Plan plan = plan::testing::text_plan();  // 5 tokens of 24, 3 heads of 8, a vocabulary of 11
  const Work embed = work_of(plan, plan.steps[0].op, 2), norm = work_of(plan, plan.steps[1].op, 2),
             qkv = work_of(plan, plan.steps[2].op, 2), attention = work_of(plan, plan.steps[3].op, 2),
             proj = work_of(plan, plan.steps[4].op, 2), pool = work_of(plan, plan.steps[6].op, 2);
  EXPECT_EQ(embed.weight_bytes, 10 * 48 + 5 * 48);  // ten rows of the table, all positions
  EXPECT_EQ(embed.bytes, embed.weight_bytes + 10 * 8 + 10 * 48);
  EXPECT_EQ(norm.flops, 0);
  EXPECT_EQ(norm.bytes, 10 * 48 + 10 * 24 + 2 * 48);
  EXPECT_EQ(qkv.flops, 2.0 * 10 * 72 * 24);
  EXPECT_EQ(qkv.bytes, 10 * 24 + 10 * 72 + 72 * 24 + 72 * 2);
  EXPECT_EQ(attention.flops, 4.0 * 2 * 3 * 8 * 15);             // causal: 1 + 2 + 3 + 4 + 5 pairs a head
  EXPECT_EQ(attention.bytes, 10 * 72 + 10 * 24);                // q, k and v lie in one buffer
  EXPECT_EQ(proj.bytes, 10 * 24 + 2 * 10 * 48 + 24 * 24 + 48);  // the residual is read, the sum written
  EXPECT_EQ(pool.bytes, 2 * 48 + 2 * 48 + 10 * 8);              // a row of five an item
  EXPECT_EQ(qkv.precision, "e4m3");
  EXPECT_EQ(qkv.category, "gemm");
  EXPECT_FALSE(norm.products);
}

TEST(Work, OfUnfusedAttentionIsThatOfTheFusedStep) {
  const plan::Plan fused = plan::testing::text_plan(), unfused = plan::testing::unfused_plan();
  double flops = 0;
  for (size_t i = 3; i < 6; ++i) {
    const Work work = work_of(unfused, unfused.steps[i].op, 2);
    EXPECT_EQ(work.category, "unfused attention");
    flops += work.flops;
  }
  EXPECT_EQ(flops, work_of(fused, fused.steps[3].op, 2).flops);
}

TEST(Describe, SaysWhereStepsComeFromAndWhyTheyAreNotInFp8) {
  plan::Plan plan = plan::testing::text_plan();
  plan.source.nodes[2].op = "MatMul";
  plan.source.nodes.push_back({"head_q", "QuantizeLinear", {"pooled"}, {"pooled_q"}});
  plan.source.steps[7].push_back(static_cast<uint32_t>(plan.source.nodes.size() - 1));
  const Engine engine = describe(plan, NoExecutable(plan.steps.size()), 2);
  ASSERT_EQ(engine.steps.size(), plan.steps.size());
  EXPECT_EQ(engine.steps[2].fp8, "yes");
  EXPECT_EQ(engine.steps[1].fp8, "n/a");
  EXPECT_EQ(engine.steps[7].fp8, "no");  // the projection, in f16
  EXPECT_THAT(engine.steps[7].fp8_reason, HasSubstr("f16"));
  EXPECT_THAT(engine.stray_quantizers, ElementsAre(static_cast<uint32_t>(plan.source.nodes.size() - 1)));  // in a step that is not FP8
  EXPECT_THAT(engine.steps[2].refused, ElementsAre("better: no"));
  EXPECT_EQ(engine.nodes[2].step, 2);
  EXPECT_EQ(engine.summary.arena_bytes, 2000u);
  EXPECT_EQ(engine.edges.front().from, -1);
  EXPECT_EQ(engine.edges.back().to, -1);
  for (const StepEdge& edge : engine.edges) EXPECT_TRUE(edge.to == -1 || edge.from < edge.to) << edge.tensor;
}

TEST(Describe, AKernelOfSeveralLaunchesIsUnfused) {
  const plan::Plan plan = plan::testing::text_plan();
  EXPECT_EQ(describe(plan, NoExecutable(plan.steps.size(), "attention_f16_unfused"), 1).steps[3].category, "unfused attention");
}

}  // namespace
}  // namespace octet::profile
