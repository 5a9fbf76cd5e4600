// The public C++ API on the CPU backend: loading, running, errors, allocations, concurrency.
#include <gmock/gmock.h>

#include <numeric>
#include <thread>

#include "api/testing.h"
#include "base/error.h"
#include "octet/octet.h"
#include "runtime/alloc_count.h"

namespace octet {
namespace {

using plan::testing::Scratch;
using ::testing::HasSubstr;

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    plan::write(plan::testing::text_plan(), path("text"));
    plan::write(plan::testing::image_plan(), path("image"));
    plan::write(testing::vit_plan({.tokens = 50, .cols = 128, .heads = 2, .inner = 512}), path("vit"));
  }
  std::string path(const std::string& name) const { return (scratch / (name + ".plan")).string(); }
  Scratch scratch;
};

// Runs the first `batch` items of `input`; all outputs, one after another.
std::vector<char> run(Session& session, const Engine& engine, int64_t batch, const std::vector<char>& input) {
  std::vector<std::vector<char>> memory;
  std::vector<TensorView> outputs;
  for (const TensorInfo& info : engine.outputs()) memory.emplace_back(info.bytes_per_item * static_cast<uint64_t>(batch));
  for (size_t i = 0; i < memory.size(); ++i)
    outputs.push_back(TensorView::of(engine.outputs()[i].name, memory[i], engine.outputs()[i].dtype));
  const TensorInfo& in = engine.inputs()[0];
  const TensorView view{in.name, in.dtype, const_cast<char*>(input.data()), in.bytes_per_item * static_cast<uint64_t>(batch)};
  session.run(batch, {&view, 1}, outputs);
  std::vector<char> all;
  for (const auto& bytes : memory) all.insert(all.end(), bytes.begin(), bytes.end());
  return all;
}

TEST_F(ApiTest, DescribesTheEngine) {
  const Engine engine = Engine::load(path("image"));
  EXPECT_EQ(engine.name(), "image");
  EXPECT_EQ(engine.creator(), "octet test");
  EXPECT_THAT(engine.device(), HasSubstr("cpu ("));
  ASSERT_EQ(engine.inputs().size(), 1u);
  EXPECT_THAT(engine.inputs()[0].dims, ::testing::ElementsAre(-1, 3, 6, 4));
  EXPECT_EQ(engine.inputs()[0].bytes_per_item, 144u);
  EXPECT_EQ(engine.outputs()[0].name, "image_embeds");
  EXPECT_FALSE(version().empty());
}

TEST_F(ApiTest, SameBitsAloneInABatchAndOnAnyNumberOfThreads) {
  for (const char* name : {"text", "image", "vit"}) {
    const Engine one = Engine::load(path(name), {.threads = 1}), three = Engine::load(path(name), {.threads = 3});
    Session a(one), b(three);
    const std::vector<char> input = testing::random_items(one.inputs()[0], 7, 31);
    const std::vector<char> all = run(a, one, 7, input);
    EXPECT_EQ(run(b, three, 7, input), all) << name;
    const Engine widened = Engine::load(path(name), {.prepack_bf16 = true});
    Session c(widened);
    EXPECT_EQ(run(c, widened, 7, input), all) << name;
    const uint64_t item = one.inputs()[0].bytes_per_item, first_output = one.outputs()[0].bytes_per_item;
    for (int64_t i = 0; i < 7; ++i) {
      const auto at = input.begin() + i * static_cast<int64_t>(item);
      const std::vector<char> alone = run(b, three, 1, {at, at + static_cast<int64_t>(item)});
      EXPECT_TRUE(std::equal(alone.begin(), alone.begin() + static_cast<int64_t>(first_output),
                             all.begin() + i * static_cast<int64_t>(first_output)))
          << name << " item " << i;
    }
  }
}

TEST_F(ApiTest, RunAllocatesNothingOnceReserved) {
  if (!octet::testing::counting()) GTEST_SKIP() << "a sanitizer owns malloc";
  for (const char* name : {"text", "image", "vit"}) {
    const Engine engine = Engine::load(path(name), {.threads = 2});
    Session session(engine);
    const std::vector<char> input = testing::random_items(engine.inputs()[0], 6, 32);
    std::vector<std::vector<char>> memory;
    std::vector<TensorView> outputs;
    for (const TensorInfo& info : engine.outputs()) memory.emplace_back(info.bytes_per_item * 6);
    for (size_t i = 0; i < memory.size(); ++i) outputs.push_back({"", engine.outputs()[i].dtype, memory[i].data(), 0});
    session.reserve(6);
    const size_t before = octet::testing::allocations;
    for (const int64_t batch : {6, 1, 4, 6}) {
      const TensorView in{"", engine.inputs()[0].dtype, const_cast<char*>(input.data()),
                          engine.inputs()[0].bytes_per_item * static_cast<uint64_t>(batch)};
      for (size_t i = 0; i < outputs.size(); ++i) outputs[i].bytes = engine.outputs()[i].bytes_per_item * static_cast<uint64_t>(batch);
      session.run(batch, {&in, 1}, outputs);
    }
    EXPECT_EQ(octet::testing::allocations - before, 0u) << name;
  }
}

TEST_F(ApiTest, ConcurrentSessionsAgree) {
  const Engine engine = Engine::load(path("vit"), {.threads = 2});
  const std::vector<char> input = testing::random_items(engine.inputs()[0], 4, 33);
  Session reference(engine);
  const std::vector<char> expected = run(reference, engine, 4, input);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      Session session(engine);
      for (int i = 0; i < 5; ++i) wrong += run(session, engine, 4, input) != expected;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ApiTest, BatchZeroAndMovedSessions) {
  const Engine engine = Engine::load(path("text"));
  Session session(engine);
  EXPECT_TRUE(run(session, engine, 0, {}).empty());
  Session moved(std::move(session));
  session = std::move(moved);
  EXPECT_EQ(run(session, engine, 1, testing::random_items(engine.inputs()[0], 1, 1)).size(), 24u);
}

Code code_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_FALSE(error.message().empty());
    return error.code();
  }
  return Code{0};
}

TEST_F(ApiTest, ErrorsHaveTheirCodes) {
  EXPECT_EQ(code_of([&] { Engine::load(path("nowhere")); }), Code::kIo);
  EXPECT_EQ(code_of([&] { Engine::load("/"); }), Code::kIo);
  plan::testing::spill(scratch / "bad.plan", "octetplnbad");
  EXPECT_EQ(code_of([&] { Engine::load(path("bad")); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { Engine::load(path("text"), {.device = "cuda:99"}); }), Code::kUnsupported);
  EXPECT_EQ(code_of([&] { Engine::load(path("text"), {.device = "tpu"}); }), Code::kUsage);
  EXPECT_EQ(code_of([&] { Engine::load(path("text"), {.threads = -1}); }), Code::kUsage);
  const Engine engine = Engine::load(path("text"));
  Session session(engine);
  EXPECT_EQ(code_of([&] { session.run(1, {}, {}); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { session.reserve(-1); }), Code::kInvalid);
}

TEST(TensorView, KnowsItsElementType) {
  std::vector<uint16_t> half(3);
  std::vector<float> single(3);
  const std::vector<int64_t> ids(3);
  EXPECT_EQ(TensorView::of("h", half).dtype, DType::f16);
  EXPECT_EQ(TensorView::of("h", half, DType::bf16).dtype, DType::bf16);
  EXPECT_EQ(TensorView::of("s", single).bytes, 12u);
  EXPECT_EQ(TensorView::of("i", ids).dtype, DType::i64);
  EXPECT_EQ(TensorView::of("i", ids).data, ids.data());
}

}  // namespace
}  // namespace octet
