#include "compare.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/backend.h"
#include "numeric/convert.h"
#include "oracle/backend.h"
#include "plan/testing.h"
#include "runtime/engine.h"

namespace octet {
namespace {

using ::testing::ElementsAre;

TensorBytes f32(const std::vector<float>& values) { return {DType::f32, std::as_bytes(std::span(values))}; }

TEST(CompareTensors, FiguresByTheirFormulas) {
  const std::vector<float> a{3, 4, 1, 0}, b{3, 4, 0, 2};
  const Difference d = compare_tensors(f32(a), f32(b), 2);
  EXPECT_EQ(d.elements, 4);
  EXPECT_EQ(d.differing, 2);
  EXPECT_EQ(d.max_abs, 2);
  EXPECT_EQ(d.mean_cosine, 0.5);  // rows: 1 and 0
  EXPECT_EQ(d.min_cosine, 0);
  EXPECT_NEAR(d.sqnr_db, 10 * std::log10(26.0 / 5.0), 1e-12);
  EXPECT_FALSE(d.codes);
  EXPECT_EQ(d.differing_percent(), 50);
}

TEST(CompareTensors, EqualTensors) {
  const std::vector<float> a{0, 0, 0.1f, -7e30f};
  const Difference d = compare_tensors(f32(a), f32(a), 2);
  EXPECT_EQ(d.differing, 0);
  EXPECT_EQ(d.mean_cosine, 1);
  EXPECT_EQ(d.min_cosine, 1);
  EXPECT_EQ(d.sqnr_db, std::numeric_limits<double>::infinity());
}

TEST(CompareTensors, ValuesThatAreNotFinite) {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> a{nan, inf, nan, 1}, b{nan, inf, 2, -inf};
  const Difference d = compare_tensors(f32(a), f32(b), 4);
  EXPECT_EQ(d.differing, 2);
  EXPECT_EQ(d.not_finite, 2);
  EXPECT_EQ(d.max_abs, 0);
}

TEST(CompareTensors, CodesCountWhereScalesAgree) {
  const std::vector<uint8_t> a{encode_e4m3(1.0f), encode_e4m3(2.0f)}, b{encode_e4m3(1.0f), encode_e4m3(4.0f)};
  const std::vector<double> one{1, 1}, other{1, 0.5};
  const TensorBytes x{DType::e4m3, std::as_bytes(std::span(a)), one};
  const Difference same = compare_tensors(x, {DType::e4m3, std::as_bytes(std::span(b)), one}, 2);
  EXPECT_TRUE(same.codes);
  EXPECT_EQ(same.differing, 1);
  const Difference scaled = compare_tensors(x, {DType::e4m3, std::as_bytes(std::span(b)), other}, 2);
  EXPECT_FALSE(scaled.codes) << "codes of different scales say nothing";
  EXPECT_EQ(scaled.differing, 0) << "but their values do";
  const std::vector<uint16_t> half{encode_f16(1.0f), encode_f16(2.0f)};
  EXPECT_EQ(compare_tensors(x, {DType::f16, std::as_bytes(std::span(half))}, 2).differing, 0);
}

// A prepared plan with random inputs for `batch` items.
struct Prepared {
  Prepared(const plan::Plan& p, const Backend& backend, int64_t batch) : plan(std::make_shared<plan::Plan>(p)) {
    executable = backend.prepare(plan, {.threads = 2, .chunk = -1});
    context = executable->new_context();
    std::mt19937 random(7);
    const plan::Buffer& buffer = plan->buffers[plan->inputs[0].buffer];
    HostTensor tensor(buffer.dtype, {batch, element_count(buffer.dims)});
    for (int64_t i = 0; i < tensor.count(); ++i)
      is_integer(buffer.dtype) ? tensor.set_int(i, random() % 11) : tensor.set(i, std::normal_distribution<double>()(random));
    input = tensor;
    pointer = input.bytes().data();
  }
  Side side() { return {*plan, *context, std::span(&pointer, 1)}; }
  std::shared_ptr<plan::Plan> plan;
  std::shared_ptr<const Executable> executable;
  std::unique_ptr<Context> context;
  HostTensor input;
  const void* pointer;
};

TEST(WalkSteps, EndsWhereARunEnds) {
  for (const plan::Plan& plan : {plan::testing::text_plan(), plan::testing::image_plan()}) {
    Prepared p(plan, *cpu::make_backend(), 3);
    std::vector<std::vector<std::byte>> written;
    walk_steps(*p.plan, *p.context, std::span(&p.pointer, 1), 3, [&](size_t step, std::span<const std::byte> out) {
      EXPECT_EQ(step, written.size());
      written.emplace_back(out.begin(), out.end());
    });
    std::vector<std::vector<std::byte>> outputs;
    std::vector<void*> pointers;
    for (const auto& binding : plan.outputs) outputs.emplace_back(3 * plan::bytes_per_item(plan.buffers[binding.buffer]));
    for (auto& output : outputs) pointers.push_back(output.data());
    p.executable->new_context()->run(3, std::span(&p.pointer, 1), pointers, nullptr);
    EXPECT_EQ(written.back(), outputs.back());
  }
}

TEST(CompareLayers, OneEngineAgreesWithItself) {
  const plan::Plan plan = plan::testing::text_plan();
  Prepared a(plan, *cpu::make_backend(), 3), b(plan, *cpu::make_backend(), 3);
  const LayerReport report = compare_layers(a.side(), b.side(), 3);
  EXPECT_THAT(report.only_a, ElementsAre());
  EXPECT_THAT(report.only_b, ElementsAre());
  ASSERT_EQ(report.layers.size(), 8u) << "nine steps write eight buffers: the residual is added in place";
  for (const LayerDifference& layer : report.layers) EXPECT_EQ(layer.difference.differing, 0) << layer.name;
}

TEST(CompareLayers, TakesOutWhatIsFoldedIntoQAndK) {
  plan::Plan plan = plan::testing::text_plan();
  auto& qkv = std::get<plan::Gemm>(plan.steps[2].op);
  plan.buffers[qkv.out].dtype = DType::f32;  // the arena's tail has room for it
  plan.buffers[qkv.out].offset = plan.arena_bytes_per_item;
  plan.arena_bytes_per_item += plan::bytes_per_item(plan.buffers[qkv.out]);
  plan.steps.resize(3);
  plan::Plan unfolded = plan;
  for (plan::ColumnRange& range : std::get<plan::Gemm>(unfolded.steps[2].op).ranges) range.mul = 1;
  Prepared a(unfolded, *oracle::make_backend(), 2), b(plan, *oracle::make_backend(), 2);
  const LayerReport report = compare_layers(a.side(), b.side(), 2);
  ASSERT_EQ(report.layers.size(), 3u);
  EXPECT_EQ(report.layers[2].difference.differing, 0) << "0.5 is exact";
}

TEST(CompareLayers, FindsTheFirstLayerThatDiffers) {
  const plan::Plan plan = plan::testing::image_plan();
  plan::Plan changed = plan;
  std::get<plan::Norm>(changed.steps[1].op).epsilon = 0.5f;
  changed.buffers[5].name = "renamed";
  Prepared a(plan, *oracle::make_backend(), 2), b(changed, *cpu::make_backend(), 2);
  const LayerReport report = compare_layers(a.side(), b.side(), 2);
  EXPECT_THAT(report.only_a, ElementsAre("pooled"));
  EXPECT_THAT(report.only_b, ElementsAre("renamed"));
  ASSERT_EQ(report.layers.size(), 5u);
  EXPECT_EQ(report.layers[0].name, "x");
  EXPECT_LE(report.layers[0].difference.max_abs, 0x1p-10) << "patches: the CPU against f64, one ulp of values below 2";
  EXPECT_EQ(report.layers[1].name, "h");
  EXPECT_EQ(report.layers[1].step_b, "ln");
  EXPECT_TRUE(report.layers[1].difference.codes);
  EXPECT_GT(report.layers[1].difference.differing_percent(), 10);
  EXPECT_LT(report.layers[1].difference.sqnr_db, 40);
}

}  // namespace
}  // namespace octet
