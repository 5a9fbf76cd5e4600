// A wrong kernel must not pass: backends that compute with one spoiled weight, scale or row, behind the real one's face.
#include "self_check.h"

#include <gmock/gmock.h>

#include <cstring>
#include <functional>

#include "base/error.h"
#include "cpu/backend.h"
#include "oracle/backend.h"
#include "plan/testing.h"
#include "plan/uses.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

// Prepares `inner` with a plan that `spoil_plan` changed, and lets `spoil_output` at what each step wrote.
struct WrongBackend : Backend {
  using SpoilPlan = std::function<void(plan::Plan&)>;
  using SpoilOutput = std::function<void(const plan::Step&, std::span<std::byte>)>;
  WrongBackend(std::unique_ptr<Backend> backend, SpoilPlan plan, SpoilOutput output)
      : inner(std::move(backend)), spoil_plan(std::move(plan)), spoil_output(std::move(output)) {}

  struct WrongContext : Context {
    WrongContext(std::unique_ptr<Context> context, std::shared_ptr<const plan::Plan> steps, SpoilOutput spoil)
        : inner(std::move(context)), plan(std::move(steps)), spoil_output(std::move(spoil)) {}
    void run(int64_t, std::span<const void* const>, std::span<void* const>, const StepHook*) override {
      FAIL() << "the check goes step by step";
    }
    void reserve(int64_t batch) override { inner->reserve(batch); }
    std::span<std::byte> buffer(plan::Id id, int64_t batch) override { return inner->buffer(id, batch); }
    void run_step(size_t step, int64_t batch) override {
      inner->run_step(step, batch);
      if (spoil_output) spoil_output(plan->steps[step], buffer(plan::out_of(plan->steps[step].op), batch));
    }
    std::unique_ptr<Context> inner;
    std::shared_ptr<const plan::Plan> plan;
    SpoilOutput spoil_output;
  };
  struct WrongExecutable : Executable {
    std::span<const StepChoice> choices() const override { return inner->choices(); }
    uint64_t weight_bytes() const override { return inner->weight_bytes(); }
    uint64_t arena_bytes(int64_t batch) const override { return inner->arena_bytes(batch); }
    std::unique_ptr<Context> new_context() const override {
      return std::make_unique<WrongContext>(inner->new_context(), plan, spoil_output);
    }
    std::shared_ptr<const Executable> inner;
    std::shared_ptr<const plan::Plan> plan;
    SpoilOutput spoil_output;
  };
  std::string name() const override { return "wrong " + inner->name(); }
  std::shared_ptr<const Executable> prepare(std::shared_ptr<const plan::Plan> plan, const PrepareOptions& options) const override {
    auto spoiled = std::make_shared<plan::Plan>(*plan);
    if (spoil_plan) spoil_plan(*spoiled);
    auto out = std::make_shared<WrongExecutable>();
    out->inner = inner->prepare(spoiled, options);
    out->plan = std::move(spoiled);
    out->spoil_output = spoil_output;
    return out;
  }
  std::unique_ptr<Backend> inner;
  SpoilPlan spoil_plan;
  SpoilOutput spoil_output;
};

std::string refusal(const plan::Plan& plan, const Backend& backend) {
  try {
    self_check(plan, backend, 2);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInternal);
    return error.render();
  }
}

template <class Op>
std::function<void(plan::Plan&)> change(const std::string& name, std::function<void(Op&)> body) {
  return [=](plan::Plan& plan) {
    for (plan::Step& step : plan.steps)
      if (step.name == name) body(std::get<Op>(step.op));
  };
}

TEST(SelfCheck, RightKernelsPassAndEachProblemRunsOnce) {
  for (plan::Plan plan : {plan::testing::text_plan(), plan::testing::image_plan(), plan::testing::bytes_plan()}) {
    const size_t steps = plan.steps.size();
    EXPECT_EQ(self_check(plan, *cpu::make_backend(), 2), static_cast<int>(steps)) << "all steps differ";
    EXPECT_EQ(self_check(plan, *oracle::make_backend(), 1), static_cast<int>(steps));
    for (size_t i = 0; i < steps; ++i) plan.steps.push_back(plan.steps[i]);
    EXPECT_EQ(self_check(std::make_shared<plan::Plan>(plan), 2), static_cast<int>(steps));
  }
}

TEST(SelfCheck, CatchesOneSpoiledWeight) {
  const auto spoil = [](plan::Plan& plan) {
    const auto& fc1 = std::get<plan::Gemm>(plan.steps[2].op);
    auto bytes = std::make_shared<std::vector<std::byte>>(plan.weight_bytes[fc1.weight].begin(), plan.weight_bytes[fc1.weight].end());
    (*bytes)[3 * fc1.k + 5] ^= std::byte{0x90};  // the sign and an exponent bit of one code
    plan.weight_bytes[fc1.weight] = *bytes;
    plan.storage.push_back(bytes);
  };
  const std::string error = refusal(plan::testing::image_plan(), WrongBackend(cpu::make_backend(), spoil, nullptr));
  EXPECT_THAT(error, HasSubstr("kernel gemm_"));
  EXPECT_THAT(error, HasSubstr("gemm:e4m3xe4m3->e4m3:7x40x16+bias+quick_gelu"));
  EXPECT_THAT(error, HasSubstr("column 3"));
  EXPECT_THAT(error, HasSubstr("while checking step `fc1`"));
}

TEST(SelfCheck, CatchesScalesThatAreOff) {
  const plan::Plan text = plan::testing::text_plan(), image = plan::testing::image_plan();
  const auto off = [](float& scale) { scale *= 1.02f; };
  const std::pair<const plan::Plan*, std::function<void(plan::Plan&)>> cases[] = {
      {&text, change<plan::Norm>("ln1", [&](auto& op) { off(op.out_scale); })},
      {&text, change<plan::Gemm>("qkv", [&](auto& op) { off(op.ranges[1].mul); })},
      {&text, change<plan::Gemm>("proj", [&](auto& op) { off(op.ranges[0].alpha); })},
      {&text, change<plan::Attention>("attention", [&](auto& op) { off(op.v.scale); })},
      {&text, change<plan::Attention>("attention", [](auto& op) { op.causal = 0; })},
      {&text, change<plan::Embed>("embed", [](auto& op) { std::swap(op.token, op.position); })},
      {&text, change<plan::Norm>("ln2", [](auto& op) { op.epsilon = 1; })},
      {&text, change<plan::L2Normalize>("normalize", [](auto& op) { op.epsilon = 10; })},
      {&image, change<plan::PatchEmbed>("patches", [](auto& op) { op.bias = plan::kNoId; })},
      {&image, change<plan::Pool>("class_row", [](auto& op) { op.index = 1; })},
      {&image, change<plan::Gemm>("fc1", [](auto& op) { op.activation = plan::Activation::kGeluErf; })},
      {&image, change<plan::Gemm>("fc2", [](auto& op) { op.residual = plan::kNoId; })},
  };
  size_t i = 0;
  for (const auto& [plan, spoil] : cases) {
    if (i == 5) {  // ids of the vocabulary lie outside the swapped table
      EXPECT_THROW(self_check(*plan, WrongBackend(cpu::make_backend(), spoil, nullptr), 2), Error);
    } else {
      EXPECT_THAT(refusal(*plan, WrongBackend(cpu::make_backend(), spoil, nullptr)), HasSubstr("self-check: kernel ")) << "case " << i;
    }
    ++i;
  }
}

TEST(SelfCheck, CatchesRowsLeftOut) {
  for (const plan::Plan& plan : {plan::testing::text_plan(), plan::testing::image_plan()})
    for (const plan::Step& victim : plan.steps) {
      const plan::Buffer& out = plan.buffers[plan::out_of(victim.op)];
      const size_t row = static_cast<size_t>(out.dims.back()) * size_of(out.dtype);
      const auto forget_last_row = [&](const plan::Step& step, std::span<std::byte> memory) {
        if (step.name == victim.name) std::memset(memory.last(row).data(), 0xff, row);
      };
      const std::string error = refusal(plan, WrongBackend(oracle::make_backend(), nullptr, forget_last_row));
      EXPECT_THAT(error, HasSubstr("checking step `" + victim.name + "`"));
      EXPECT_THAT(error, HasSubstr("column 0, is NaN"));
    }
}

}  // namespace
}  // namespace octet
