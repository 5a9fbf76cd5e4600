// Engine and Session against a backend that only records what it is given: all checking happens before a backend runs.
#include "runtime/engine.h"

#include <gmock/gmock.h>

#include <numeric>

#include "base/error.h"
#include "plan/testing.h"
#include "plan/testing_file.h"
#include "runtime/alloc_count.h"

namespace octet::runtime {
namespace {

using ::testing::HasSubstr;

struct FakeContext : Context {
  explicit FakeContext(const plan::Plan& plan) : plan(plan) {}
  void run(int64_t batch, std::span<const void* const> inputs, std::span<void* const> outputs, const StepHook* hook) override {
    runs += 1;
    for (size_t i = 0; i < outputs.size(); ++i)  // marks what it wrote with the number of the output
      std::memset(outputs[i], static_cast<int>(i + 1),
                  static_cast<size_t>(batch) * plan::bytes_per_item(plan.buffers[plan.outputs[i].buffer]));
    first_input = inputs[0];
    if (hook) (*hook)({0, 0, batch, 1.0});
  }
  void reserve(int64_t batch) override {
    if (batch > 1000) throw std::bad_alloc();
  }
  std::span<std::byte> buffer(plan::Id, int64_t) override { return {}; }
  void run_step(size_t, int64_t) override {}
  const plan::Plan& plan;
  const void* first_input = nullptr;
  int runs = 0;
};
struct FakeExecutable : Executable {
  explicit FakeExecutable(std::shared_ptr<const plan::Plan> plan) : plan(std::move(plan)) {}
  std::span<const StepChoice> choices() const override { return {}; }
  uint64_t weight_bytes() const override { return 0; }
  uint64_t arena_bytes(int64_t batch) const override { return static_cast<uint64_t>(batch) << 30; }
  std::unique_ptr<Context> new_context() const override { return std::make_unique<FakeContext>(*plan); }
  std::shared_ptr<const plan::Plan> plan;
};
struct FakeBackend : Backend {
  std::string name() const override { return "fake"; }
  std::shared_ptr<const Executable> prepare(std::shared_ptr<const plan::Plan> plan, const PrepareOptions&) const override {
    return std::make_shared<FakeExecutable>(std::move(plan));
  }
};

class SessionTest : public ::testing::Test {
 protected:
  SessionTest()
      : engine(Engine::make(std::make_shared<plan::Plan>(plan::testing::text_plan()), FakeBackend{})),
        session(engine),
        ids(3 * 5, 7),
        embeds(3 * 6),
        unit(3 * 6) {}
  std::string refusal(int64_t batch, std::vector<TensorView> in, std::vector<TensorView> out) {
    try {
      session.run(batch, in, out);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalid);
      return error.render();
    }
  }
  int runs() { return static_cast<FakeContext&>(session.context()).runs; }
  TensorView in() { return TensorView::of("input_ids", ids); }
  TensorView out0() { return TensorView::of("text_embeds", embeds); }
  TensorView out1() { return TensorView::of("unit", unit); }
  static TensorView nameless(TensorView view) { return view.name = {}, view; }

  std::shared_ptr<const Engine> engine;
  Session session;
  std::vector<int64_t> ids;
  std::vector<uint16_t> embeds, unit;
};

TEST_F(SessionTest, DescribesInputsAndOutputs) {
  ASSERT_EQ(engine->inputs().size(), 1u);
  EXPECT_EQ(engine->inputs()[0].name, "input_ids");
  EXPECT_EQ(engine->inputs()[0].dtype, DType::i64);
  EXPECT_THAT(engine->inputs()[0].dims, ::testing::ElementsAre(-1, 5));
  EXPECT_EQ(engine->inputs()[0].bytes_per_item, 40u);
  EXPECT_THAT(engine->outputs()[1].dims, ::testing::ElementsAre(-1, 6));
  EXPECT_EQ(engine->device(), "fake");
}

TEST_F(SessionTest, BindsByNameInAnyOrderAndByPosition) {
  EXPECT_EQ(refusal(3, {in()}, {out1(), out0()}), "");
  EXPECT_EQ(embeds[0], 0x0101);
  EXPECT_EQ(unit[17], 0x0202);
  std::ranges::fill(embeds, 0);
  EXPECT_EQ(refusal(3, {nameless(in())}, {nameless(out1()), nameless(out0())}), "");
  EXPECT_EQ(unit[0], 0x0101) << "by position, the first view is the first output";
  EXPECT_EQ(runs(), 2);
}

TEST_F(SessionTest, RefusesWrongTensors) {
  EXPECT_THAT(refusal(3, {}, {out0(), out1()}), HasSubstr("0 inputs given, the engine has 1: `input_ids`"));
  EXPECT_THAT(refusal(3, {in()}, {out0()}), HasSubstr("1 outputs given, the engine has 2: `text_embeds`, `unit`"));
  EXPECT_THAT(refusal(3, {TensorView::of("ids", ids)}, {out0(), out1()}),
              HasSubstr("the engine has no input `ids`\n  fix: it has `input_ids`"));
  EXPECT_THAT(refusal(3, {in()}, {out0(), out0()}), HasSubstr("output `text_embeds` is given twice"));
  EXPECT_THAT(refusal(3, {in()}, {out0(), nameless(out1())}), HasSubstr("some outputs have names"));
  EXPECT_THAT(refusal(2, {in()}, {out0(), out1()}), HasSubstr("input `input_ids` has 120 bytes; 2 items of 40 are 80 bytes"));
  EXPECT_THAT(refusal(3, {TensorView::of("input_ids", ids, DType::f64)}, {out0(), out1()}), HasSubstr("is f64, the engine's is i64"));
  TensorView null = in();
  null.data = nullptr;
  EXPECT_THAT(refusal(3, {null}, {out0(), out1()}), HasSubstr("null pointer"));
  TensorView over = out1();
  over.data = embeds.data() + 17;
  EXPECT_THAT(refusal(3, {in()}, {out0(), over}), HasSubstr("overlaps"));
  over.data = ids.data();
  EXPECT_THAT(refusal(3, {in()}, {out0(), over}), HasSubstr("overlaps"));
  EXPECT_EQ(runs(), 0);
}

TEST_F(SessionTest, RefusesWrongBatches) {
  EXPECT_THAT(refusal(-1, {in()}, {out0(), out1()}), HasSubstr("a batch of -1"));
  EXPECT_THAT(refusal(INT64_MAX, {in()}, {out0(), out1()}), HasSubstr("not in [0, 4194304]"));
  try {
    session.reserve(2000);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("a batch of 2000 needs 2.0 TiB of working memory"));
  }
}

TEST_F(SessionTest, BatchZeroDoesNothingButCheckNames) {
  const TensorView empty_in{"input_ids", DType::i64, nullptr, 0}, a{"text_embeds", DType::f16, nullptr, 0},
      b{"unit", DType::f16, nullptr, 0};
  EXPECT_EQ(refusal(0, {empty_in}, {a, b}), "");
  EXPECT_THAT(refusal(0, {empty_in}, {a, a}), HasSubstr("twice"));
  EXPECT_THAT(refusal(0, {in()}, {a, b}), HasSubstr("120 bytes"));
  EXPECT_EQ(runs(), 0);
}

TEST_F(SessionTest, TokenIdsMustLieInTheVocabulary) {
  for (const int64_t bad : {int64_t{11}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    ids[13] = bad;
    EXPECT_THAT(refusal(3, {in()}, {out0(), out1()}),
                HasSubstr(fmt::format("input `input_ids`, item 2, position 3: token id {} is outside the vocabulary [0, 11)", bad)));
  }
  ids[13] = 10;
  EXPECT_EQ(refusal(3, {in()}, {out0(), out1()}), "");
}

TEST_F(SessionTest, RunAllocatesNothing) {
  if (!octet::testing::counting()) GTEST_SKIP() << "a sanitizer owns malloc";
  const TensorView inputs[] = {in()}, outputs[] = {out0(), out1()};
  session.run(3, inputs, outputs);
  const size_t before = octet::testing::allocations;
  for (int i = 0; i < 10; ++i) session.run(3, inputs, outputs);
  EXPECT_EQ(octet::testing::allocations - before, 0u);
  EXPECT_GT(before, 0u) << "the counter does not count";
}

TEST_F(SessionTest, PassesTheHookAndThePointers) {
  size_t events = 0;
  const StepHook hook = [&](const StepEvent& event) { events += event.items == 3; };
  const TensorView inputs[] = {in()}, outputs[] = {out0(), out1()};
  session.run(3, inputs, outputs, &hook);
  EXPECT_EQ(events, 1u);
  EXPECT_EQ(static_cast<FakeContext&>(session.context()).first_input, ids.data());
}

TEST(Engine, LoadsAFileAndNamesItInErrors) {
  const plan::testing::Scratch scratch;
  plan::write(plan::testing::image_plan(), scratch / "image.plan");
  EXPECT_EQ(Engine::load(scratch / "image.plan", FakeBackend{})->plan().name, "image");
  plan::testing::spill(scratch / "image.plan", "octetplnXX");
  EXPECT_THROW(Engine::load(scratch / "image.plan", FakeBackend{}), Error);
  EXPECT_THROW(Engine::load(scratch / "none.plan", FakeBackend{}), Error);
}

TEST(Engine, SessionsShareOneExecutable) {
  const auto engine = Engine::make(std::make_shared<plan::Plan>(plan::testing::text_plan()), FakeBackend{});
  const Session a(engine), b(engine);
  EXPECT_EQ(&a.engine().executable(), &b.engine().executable());
}

}  // namespace
}  // namespace octet::runtime
