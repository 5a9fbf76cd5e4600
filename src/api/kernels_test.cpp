// Every step of whole plans on the CPU backend, judged against the oracle with the oracle's inputs: no code may differ unless
// the exact value lies within its derived bound of a rounding midpoint. And plans that survive validation must run.
#include <gmock/gmock.h>

#include "api/testing.h"
#include "base/error.h"
#include "cpu/backend.h"
#include "oracle/compare.h"
#include "runtime/engine.h"

namespace octet {
namespace {

using testing::random_items;

struct Count {
  int64_t elements = 0, differing = 0;
};

Count check(const plan::Plan& plan, int64_t batch, uint32_t seed) {
  const auto engine = runtime::Engine::make(std::make_shared<plan::Plan>(plan), *cpu::make_backend(), {.threads = 2, .chunk = -1});
  const auto context = engine->executable().new_context();
  context->reserve(batch);
  const std::vector<char> items = random_items(engine->inputs()[0], batch, seed);
  const void* inputs[] = {items.data()};
  Count count;
  oracle::teacher_force(plan, *context, inputs, batch, 0, [&](size_t step, const oracle::StepVerdict& verdict) {
    EXPECT_EQ(verdict.unexplained, 0) << plan.name << " " << problem_of(plan, plan.steps[step], batch) << " "
                                      << engine->executable().choices()[step].kernel << ": first at " << verdict.first_unexplained
                                      << ", max_abs " << verdict.max_abs << ", seed " << seed;
    // An e4m3 output keeps a signal to noise ratio near 31 dB whatever the rounding; far less means that scales are wrong.
    EXPECT_GT(verdict.sqnr_db, 20) << plan.steps[step].name;
    count.elements += verdict.elements;
    count.differing += verdict.differing;
  });
  return count;
}

TEST(CpuAgainstOracle, TinyTowers) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    check(plan::testing::text_plan(seed), 3, seed);
    check(plan::testing::image_plan(seed), 5, seed);
    check(plan::testing::bytes_plan(seed), 5, seed);
  }
}

TEST(CpuAgainstOracle, TransformerBlocksInEveryPrecision) {
  for (const DType dtype : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
    for (const auto activation : {plan::Activation::kQuickGelu, plan::Activation::kGeluErf}) {
      const Count count = check(testing::vit_plan({50, 128, 2, 512, dtype, activation}), 2, 40);
      std::printf("%s: %ld of %ld elements rounded the other way\n", std::string(name_of(dtype)).c_str(), count.differing, count.elements);
    }
  check(testing::vit_plan({7, 72, 3, 100, DType::e4m3}), 3, 41);
}

// Hostile fields that validation lets through, on the kernels: no crash, and no reading or writing outside (under ASan).
TEST(CpuBackend, PlansThatSurviveValidationRun) {
  const plan::testing::Scratch scratch;
  size_t ran = 0;
  for (const plan::Plan& plan : {plan::testing::text_plan(), plan::testing::image_plan(), plan::testing::bytes_plan()}) {
    const std::string file = plan::testing::file_of(plan, scratch);
    for (const auto id : {plan::SectionId::kBuffers, plan::SectionId::kSteps, plan::SectionId::kWeights}) {
      const plan::Section section = plan::testing::section_of(file, id);
      for (size_t at = section.offset; at + 4 <= section.offset + section.size; ++at)
        for (const uint32_t value : {0u, 1u, plan::testing::peek<uint32_t>(file, at) + 1, 0xffffffffu}) {
          std::string changed = file;
          plan::testing::poke(changed, at, value);
          plan::testing::rehash(changed);
          plan::testing::spill(scratch / "swept.plan", changed);
          try {
            const auto survivor = runtime::Engine::load(scratch / "swept.plan", *cpu::make_backend(), {.threads = 1});
            ASSERT_LT(survivor->plan().arena_bytes_per_item, 1u << 20);
            std::vector<std::vector<char>> memory;
            std::vector<TensorView> inputs, outputs;
            for (const TensorInfo& info : survivor->inputs()) memory.push_back(random_items(info, 2, 42));
            for (const TensorInfo& info : survivor->outputs()) memory.emplace_back(2 * info.bytes_per_item);
            for (size_t i = 0; i < memory.size(); ++i) {
              const bool in = i < survivor->inputs().size();
              const TensorInfo& info = in ? survivor->inputs()[i] : survivor->outputs()[i - survivor->inputs().size()];
              (in ? inputs : outputs).push_back({info.name, info.dtype, memory[i].data(), memory[i].size()});
            }
            runtime::Session(survivor).run(2, inputs, outputs);
            ++ran;
          } catch (const Error& error) {
            ASSERT_TRUE(error.code() == Code::kInvalid || error.code() == Code::kUnsupported) << error.render();
          }
        }
    }
  }
  EXPECT_GT(ran, 100u);
}

}  // namespace
}  // namespace octet
