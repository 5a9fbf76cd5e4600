// Saved engines of every released format version must keep loading and keep giving the same bytes: tests/golden/plan_vN holds
// NAME.plan, an input NAME.bin and the oracle's first output NAME.expected (written by tests/tools/write_test_plans).
#include <gtest/gtest.h>

#include "oracle/backend.h"
#include "plan/io.h"
#include "plan/testing_file.h"
#include "runtime/engine.h"

namespace octet::oracle {
namespace {

class GoldenPlan : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenPlan, LoadsAndGivesTheSavedBytes) {
  const std::filesystem::path base = std::filesystem::path(OCTET_SOURCE_DIR "/tests/golden") / GetParam();
  const auto file = [&](const char* ending) { return plan::testing::slurp(base.string() + ending); };
  EXPECT_TRUE(plan::engine_validity(base.string() + ".plan").runs_here);
  const auto engine = runtime::Engine::load(base.string() + ".plan", *make_backend(), {.threads = 1});
  std::string input = file(".bin");
  const std::string expected = file(".expected");
  const auto batch = static_cast<int64_t>(input.size() / engine->inputs().at(0).bytes_per_item);
  std::vector<std::string> memory;
  std::vector<TensorView> outputs;
  for (const TensorInfo& info : engine->outputs()) memory.emplace_back(info.bytes_per_item * static_cast<uint64_t>(batch), '\0');
  for (size_t i = 0; i < memory.size(); ++i)
    outputs.push_back(TensorView::of(engine->outputs()[i].name, memory[i], engine->outputs()[i].dtype));
  const TensorView in = TensorView::of(engine->inputs()[0].name, input, engine->inputs()[0].dtype);
  runtime::Session(engine).run(batch, {&in, 1}, outputs);
  EXPECT_EQ(memory[0], expected);
}

INSTANTIATE_TEST_SUITE_P(Version2, GoldenPlan, ::testing::Values("plan_v2/text", "plan_v2/image", "plan_v2/bytes"));

}  // namespace
}  // namespace octet::oracle
