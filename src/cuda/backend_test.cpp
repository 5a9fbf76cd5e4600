// The backend as a session sees it. Runs on a GPU, or on the fake driver of tests/fake_cuda, whose launches do nothing: then it shows
// that memory, launches, graphs and errors are handled as the driver demands. Values are judged by tests/conformance.
#include "cuda/backend.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "cuda/device.h"
#include "cuda/testing.h"
#include "plan/testing.h"

namespace octet::cuda {
namespace {

using ::testing::HasSubstr;

bool is_fake() { return list_gpus().front().name == "Fake GPU"; }

// Inputs and outputs of a plan for a batch; the inputs of item i are the same in every batch.
struct Items {
  Items(const plan::Plan& plan, int64_t batch) {
    const auto bytes = [&](const plan::Binding& binding) {
      return plan::bytes_per_item(plan.buffers[binding.buffer]) * static_cast<size_t>(batch);
    };
    for (const auto& binding : plan.inputs) {
      std::vector<std::byte>& input = in.emplace_back(bytes(binding));
      const DType dtype = plan.buffers[binding.buffer].dtype;
      for (size_t i = 0; i < input.size(); i += size_of(dtype)) {
        const int64_t id = static_cast<int64_t>(i * 7 % 11);
        const uint16_t half = static_cast<uint16_t>(0x3400 + i % 1021);  // f16 in [0.25, 0.5)
        std::memcpy(input.data() + i, dtype == DType::i64 ? static_cast<const void*>(&id) : &half, size_of(dtype));
      }
      inputs.push_back(input.data());
    }
    for (const auto& binding : plan.outputs) out.emplace_back(bytes(binding), std::byte{0xee});
    for (auto& output : out) outputs.push_back(output.data());
  }
  std::vector<std::vector<std::byte>> in, out;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
};

class CudaBackendTest : public ::testing::Test {
 protected:
  void SetUp() override {
    OCTET_NEEDS_GPU();
    backend = make_backend(0);
  }
  std::unique_ptr<Backend> backend;
};

TEST_F(CudaBackendTest, NamesItsGpu) { EXPECT_THAT(backend->name(), ::testing::StartsWith("cuda:0 (")); }

TEST_F(CudaBackendTest, RunsRepeatAndReplay) {
  for (plan::Plan plan : {plan::testing::text_plan(), plan::testing::image_plan(), plan::testing::bytes_plan()}) {
    const auto shared = std::make_shared<plan::Plan>(std::move(plan));
    const auto executable = backend->prepare(shared, {});
    const auto context = executable->new_context();
    ASSERT_EQ(executable->choices().size(), shared->steps.size());
    for (size_t i = 0; i < shared->steps.size(); ++i) EXPECT_NE(executable->kernel(i, 1), "");
    for (const int64_t batch : {3, 1, 7, 3}) {
      Items first(*shared, batch), later(*shared, batch);
      context->run(batch, first.inputs, first.outputs, nullptr);
      for (int i = 0; i < 3; ++i) context->run(batch, later.inputs, later.outputs, nullptr);  // the second makes a graph
      EXPECT_EQ(first.out, later.out) << shared->name << ", batch " << batch;
      const auto times = context->last_times();
      ASSERT_TRUE(times.has_value());
      EXPECT_GE(times->compute_ms, 0);
    }
    Items hooked(*shared, 3), plain(*shared, 3);
    std::vector<size_t> steps;
    const StepHook hook = [&](const StepEvent& event) { steps.push_back(event.step); };
    context->run(3, hooked.inputs, hooked.outputs, &hook);
    context->run(3, plain.inputs, plain.outputs, nullptr);
    EXPECT_EQ(hooked.out, plain.out);
    EXPECT_EQ(steps.size(), shared->steps.size());
  }
}

TEST_F(CudaBackendTest, ManyBatchSizesKeepFewGraphs) {
  const auto plan = std::make_shared<plan::Plan>(plan::testing::text_plan());
  const auto context = backend->prepare(plan, {})->new_context();
  context->reserve(12);
  for (int round = 0; round < 3; ++round)
    for (int64_t batch = 1; batch <= 12; ++batch) {
      Items items(*plan, batch);
      context->run(batch, items.inputs, items.outputs, nullptr);
    }
}

TEST_F(CudaBackendTest, StepByStepIsARun) {
  const auto plan = std::make_shared<plan::Plan>(plan::testing::text_plan());
  const auto executable = backend->prepare(plan, {});
  const auto context = executable->new_context(), other = executable->new_context();
  Items items(*plan, 2);
  other->run(2, items.inputs, items.outputs, nullptr);
  context->reserve(2);
  const auto input = context->buffer(plan->inputs[0].buffer, 2);
  ASSERT_EQ(input.size(), items.in[0].size());
  std::memcpy(input.data(), items.in[0].data(), input.size());
  for (size_t step = 0; step < plan->steps.size(); ++step) context->run_step(step, 2);
  for (size_t i = 0; i < plan->outputs.size() && !is_fake(); ++i) {
    const auto output = context->buffer(plan->outputs[i].buffer, 2);
    EXPECT_EQ(std::memcmp(output.data(), items.out[i].data(), output.size()), 0) << plan->outputs[i].name;
  }
}

TEST_F(CudaBackendTest, SessionsRunConcurrently) {
  const auto plan = std::make_shared<plan::Plan>(plan::testing::text_plan());
  const auto executable = backend->prepare(plan, {});
  Items expected(*plan, 3);
  executable->new_context()->run(3, expected.inputs, expected.outputs, nullptr);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      const auto context = executable->new_context();
      for (int i = 0; i < 20; ++i) {
        Items items(*plan, 3);
        context->run(3, items.inputs, items.outputs, nullptr);
        EXPECT_EQ(items.out, expected.out);
      }
    });
}

TEST_F(CudaBackendTest, WithoutTransfersOutputsStayOnTheDevice) {
  const auto plan = std::make_shared<plan::Plan>(plan::testing::image_plan());
  const auto context = backend->prepare(plan, {})->new_context();
  Items items(*plan, 2);
  context->run(2, items.inputs, items.outputs, nullptr);
  for (auto& output : items.out) std::ranges::fill(output, std::byte{0x11});
  context->set_transfers(false);
  context->run(2, items.inputs, items.outputs, nullptr);
  EXPECT_EQ(items.out[0][0], std::byte{0x11});
  context->set_transfers(true);
  context->run(2, items.inputs, items.outputs, nullptr);
}

TEST_F(CudaBackendTest, PinnedMemoryIsOffered) {
  const auto executable = backend->prepare(std::make_shared<plan::Plan>(plan::testing::image_plan()), {});
  const auto memory = executable->host_memory(100);
  ASSERT_NE(memory, nullptr);
  std::memset(memory.get(), 1, 100);
  EXPECT_EQ(executable->memory_report(4).size(), 2u);
}

TEST_F(CudaBackendTest, RowsCanBePreferred) {
  const auto plan = std::make_shared<plan::Plan>(plan::testing::image_plan());
  const auto forced = make_backend(0, {.portable_code = true, .tune = true, .rows = {"simt"}})->prepare(plan, {});
  for (const StepChoice& choice : forced->choices())
    EXPECT_TRUE(!choice.kernel.starts_with("gemm") || choice.kernel.find("simt") != std::string::npos) << choice.kernel;
  const auto context = forced->new_context();
  Items items(*plan, 2);
  context->run(2, items.inputs, items.outputs, nullptr);
}

// f16 attention of 65 tokens, 2 heads of 16: q, k and v are the input.
std::shared_ptr<plan::Plan> attention_plan() {
  plan::testing::Builder b(1);
  b.plan.name = "attention";
  const plan::Id qkv = b.bound("qkv", DType::f16, {65, 96}, true), out = b.bound("out", DType::f16, {65, 32}, false);
  b.step("attention", plan::Attention{{qkv, 0, 96, 1}, {qkv, 32, 96, 1}, {qkv, 64, 96, 1}, out, 65, 2, 16, 0, 0.25f, 0, 1});
  return std::make_shared<plan::Plan>(std::move(b.plan));
}

TEST_F(CudaBackendTest, UnfusedAttentionRunsWhereItIsNamed) {
  const auto plan = attention_plan();
  const auto fused = backend->prepare(plan, {}), vague = make_backend(0, {.rows = {"attention_f16"}})->prepare(plan, {}),
             unfused = make_backend(0, {.rows = {"attention_f16_unfused"}})->prepare(plan, {});
  for (const auto& executable : {fused, vague}) {
    EXPECT_THAT(executable->choices()[0].kernel, ::testing::Not(HasSubstr("unfused")));
    EXPECT_THAT(executable->choices()[0].refused, ::testing::Contains(HasSubstr("attention_f16_unfused: a baseline")));
  }
  EXPECT_EQ(unfused->choices()[0].kernel, "attention_f16_unfused");
  EXPECT_GE(unfused->arena_bytes(3), fused->arena_bytes(3) + size_t{3} * 2 * 65 * 72 * 4);
  const auto context = unfused->new_context();
  Items items(*plan, 3);
  for (int i = 0; i < 3; ++i) context->run(3, items.inputs, items.outputs, nullptr);
}

TEST_F(CudaBackendTest, TooMuchMemoryIsRefusedWithFigures) {
  const auto plan = std::make_shared<plan::Plan>(plan::testing::image_plan());
  const auto context = backend->prepare(plan, {})->new_context();
  const int64_t batch = static_cast<int64_t>(list_gpus().front().memory / plan->arena_bytes_per_item) + 1;
  try {
    context->reserve(batch);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
    EXPECT_THAT(error.message(), HasSubstr("the activations of a batch of"));
    EXPECT_THAT(error.message(), HasSubstr("are free on cuda:0"));
  }
  Items items(*plan, 2);
  context->run(2, items.inputs, items.outputs, nullptr);  // a smaller batch still runs
}

// In a child: what loses a context loses it for the process.
TEST_F(CudaBackendTest, AfterAnIllegalAddressEveryCallSaysSo) {
  if (!is_fake()) GTEST_SKIP() << "needs the fake driver";
  const auto lose = [&] {
    const auto plan = std::make_shared<plan::Plan>(plan::testing::text_plan());
    const auto context = backend->prepare(plan, {})->new_context();
    Items items(*plan, 2);
    context->run(1, items.inputs, items.outputs, nullptr);
    ::setenv("FAKE_CUDA_LOSE", "700", 1);
    std::string first, second;
    for (std::string* text : {&first, &second}) try {
        context->run(2, items.inputs, items.outputs, nullptr);
      } catch (const Error& error) {
        *text = error.message();
      }
    const bool said =
        first.find("CUDA_ERROR_ILLEGAL_ADDRESS") != std::string::npos && first.find("running step `embed`") != std::string::npos;
    ::_exit(said && first == second ? 0 : 1);
  };
  EXPECT_EXIT(lose(), ::testing::ExitedWithCode(0), "");
}

TEST(Devices, AreNamed) {
  EXPECT_EQ(ordinal_of("cuda"), 0);
  EXPECT_EQ(ordinal_of("cuda:3"), 3);
  for (const char* name : {"cpu", "cuda:", "cuda:x", "cuda:1x", "cuda: 1", "cuda1", ""}) EXPECT_EQ(ordinal_of(name), -1) << name;
}

TEST(Devices, WithoutAGpuTheReasonAndARemedyAreGiven) {
  try {
    make_backend(4096);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
    EXPECT_FALSE(error.fix().empty());
  }
}

}  // namespace
}  // namespace octet::cuda
