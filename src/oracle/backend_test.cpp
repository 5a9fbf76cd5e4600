#include "oracle/backend.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "oracle/testing.h"
#include "plan/testing_file.h"
#include "runtime/engine.h"

namespace octet::oracle {
namespace {

using testing::element;
using testing::Memory;

// Outputs of a whole run for `batch` items of the given inputs.
std::vector<std::vector<std::byte>> run(const plan::Plan& plan, const Memory& memory, int64_t first, int64_t batch, int threads) {
  const auto engine = runtime::Engine::make(std::make_shared<plan::Plan>(plan), *make_backend(), {.threads = threads});
  runtime::Session session(engine);
  std::vector<std::vector<std::byte>> out;
  std::vector<TensorView> inputs, outputs;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const uint64_t bytes = engine->inputs()[i].bytes_per_item;
    const std::byte* data = memory.pointers[plan.inputs[i].buffer] + static_cast<uint64_t>(first) * bytes;
    inputs.push_back({"", engine->inputs()[i].dtype, const_cast<std::byte*>(data), bytes * static_cast<uint64_t>(batch)});
  }
  for (const TensorInfo& info : engine->outputs()) out.emplace_back(info.bytes_per_item * static_cast<uint64_t>(batch));
  for (size_t i = 0; i < out.size(); ++i) outputs.push_back({"", engine->outputs()[i].dtype, out[i].data(), out[i].size()});
  session.run(batch, inputs, outputs);
  return out;
}

TEST(OracleBackend, RunsWholePlansTheSameInAnyBatchAndOnAnyThreads) {
  for (const plan::Plan& plan : {plan::testing::text_plan(), plan::testing::image_plan(), plan::testing::bytes_plan()}) {
    const Memory memory(plan, 5, 21);
    const auto all = run(plan, memory, 0, 5, 1);
    EXPECT_EQ(run(plan, memory, 0, 5, 3), all);
    for (int64_t item = 0; item < 5; ++item) {
      const auto alone = run(plan, memory, item, 1, 1);
      for (size_t i = 0; i < all.size(); ++i)
        EXPECT_TRUE(std::equal(alone[i].begin(), alone[i].end(), all[i].begin() + item * static_cast<int64_t>(alone[i].size())));
    }
  }
}

TEST(OracleBackend, NormalizedOutputsHaveUnitLength) {
  const plan::Plan plan = plan::testing::text_plan();
  const auto out = run(plan, Memory(plan, 4, 22), 0, 4, 1);
  for (int64_t item = 0; item < 4; ++item) {
    double squares = 0;
    for (int64_t c = 0; c < 6; ++c) squares += std::pow(element(DType::f16, out[1].data(), item * 6 + c), 2);
    EXPECT_NEAR(squares, 1, 6 * 0x1p-10);
  }
}

TEST(OracleBackend, OutputInThePlaceOfItsResidual) {
  plan::Plan plan = plan::testing::image_plan();
  const Memory memory(plan, 3, 23);
  const auto apart = run(plan, memory, 0, 3, 2);
  plan.buffers[4].offset = plan.buffers[1].offset;  // y over x, the residual of fc2
  EXPECT_EQ(run(plan, memory, 0, 3, 2), apart);
}

TEST(OracleBackend, StepByStepEqualsRun) {
  const plan::Plan plan = plan::testing::text_plan();
  const Memory memory(plan, 2, 24);
  const auto executable = make_backend()->prepare(std::make_shared<plan::Plan>(plan), {});
  EXPECT_EQ(executable->choices().size(), plan.steps.size());
  EXPECT_EQ(executable->choices()[0].problem, "embed:i64:1x5x24");
  const auto context = executable->new_context();
  context->reserve(2);
  std::memcpy(context->buffer(0, 2).data(), memory.pointers[0], memory.data[0].size());
  for (size_t step = 0; step < plan.steps.size(); ++step) context->run_step(step, 2);
  const auto out = run(plan, memory, 0, 2, 1);
  for (size_t i = 0; i < out.size(); ++i) EXPECT_TRUE(std::ranges::equal(context->buffer(plan.outputs[i].buffer, 2), out[i]));
}

// Whatever validation lets through must run: every four bytes of the steps and buffers with hostile values.
TEST(OracleBackend, PlansThatSurviveValidationRun) {
  const plan::testing::Scratch scratch;
  size_t ran = 0;
  for (const plan::Plan& plan : {plan::testing::text_plan(), plan::testing::image_plan()}) {
    const std::string file = plan::testing::file_of(plan, scratch);
    for (const auto id : {plan::SectionId::kBuffers, plan::SectionId::kSteps, plan::SectionId::kWeights}) {
      const plan::Section section = plan::testing::section_of(file, id);
      for (size_t at = section.offset; at + 4 <= section.offset + section.size; ++at)
        for (const uint32_t value : {0u, 1u, plan::testing::peek<uint32_t>(file, at) + 1, 0x7fffffffu, 0xffffffffu}) {
          std::string changed = file;
          plan::testing::poke(changed, at, value);
          plan::testing::rehash(changed);
          plan::testing::spill(scratch / "swept.plan", changed);
          try {
            const plan::Plan survivor = plan::read(scratch / "swept.plan");
            ASSERT_LT(survivor.arena_bytes_per_item, 1u << 20);
            run(survivor, Memory(survivor, 2, 25), 0, 2, 1);
            ++ran;
          } catch (const Error& error) {  // the file, or token ids outside a vocabulary that shrank
            ASSERT_EQ(error.code(), Code::kInvalid);
          }
        }
    }
  }
  EXPECT_GT(ran, 100u);
}

}  // namespace
}  // namespace octet::oracle
