#include "profile/collect.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "profile/compare_engines.h"
#include "profile/estimate.h"
#include "profile/trace.h"

namespace octet::profile {
namespace {

using testing::ElementsAre;

TEST(Estimate, IntervalsAreOrderStatistics) {
  const auto upto = [](int n) {
    std::vector<double> values;
    for (int i = n; i > 0; --i) values.push_back(i);
    return estimate(values);
  };
  EXPECT_EQ(upto(1).median, 1);
  EXPECT_EQ(upto(5).low, 1);  // 1 - 2 / 2^5 is below 95 %: nothing narrower than the extremes
  EXPECT_EQ(upto(5).high, 5);
  EXPECT_EQ(upto(11).low, 2);  // the table of sign tests: 11 values, ranks 2 and 10, 98.8 %
  EXPECT_EQ(upto(11).high, 10);
  EXPECT_EQ(upto(11).median, 6);
  EXPECT_EQ(upto(100).low, 40);  // ranks 40 and 61, 96.5 %
  EXPECT_EQ(upto(100).high, 61);
  EXPECT_EQ(upto(4).median, 2.5);
  EXPECT_EQ(estimate({}).median, 0);
}

TEST(Block, IsTheNumberedPartOfAName) {
  EXPECT_EQ(block_of("vision_model.encoder.layers.3.mlp.fc1"), "vision_model.encoder.layers.3");
  EXPECT_EQ(block_of("/encoder/layers.12/mlp/MatMul_4"), "/encoder/layers.12");
  EXPECT_EQ(block_of("visual_projection"), "");
  EXPECT_EQ(block_of("onnx::MatMul_12"), "");
  EXPECT_EQ(block_of(""), "");
}

Step step(std::string name, std::string category, std::string precision, std::vector<double> ms, std::vector<uint32_t> source) {
  Step s;
  s.name = std::move(name), s.category = std::move(category), s.precision = std::move(precision);
  s.flops = s.category == "normalisation" ? 0 : 100;
  s.ms = std::move(ms), s.time = estimate(s.ms), s.source = std::move(source);
  return s;
}
SourceNode node(std::string name, std::string op, int64_t in) { return {std::move(name), std::move(op), "", {}, {}, in}; }

// A norm and a product; in FP8 with a Q/DQ pair between them and q, k and v merged.
Engine float_engine() {
  Engine e;
  e.steps = {step("ln", "normalisation", "f16", {1, 1, 1}, {0}), step("q", "gemm", "f16", {4, 4, 4}, {1}),
             step("k", "gemm", "f16", {4, 4, 4}, {2}), step("scores", "unfused attention", "f16", {5, 5, 5}, {3})};
  e.nodes = {node("ln", "LayerNormalization", 0), node("q", "MatMul", 1), node("k", "MatMul", 2), node("s", "MatMul", 3)};
  e.summary.end_to_end = {18, 18, 18};
  e.edges = {{-1, 0, "x", "f16", 8}, {0, 1, "h", "f16", 8}, {0, 2, "h", "f16", 8}, {2, 3, "k", "f16", 8}};
  add_tables(e);
  return e;
}
Engine fp8_engine() {
  Engine e;
  e.steps = {step("ln", "normalisation", "f16", {2, 2, 2}, {0, 1}), step("q+k", "gemm", "e4m3", {3, 3, 3}, {2, 3}),
             step("s", "attention", "e4m3", {1, 1, 1}, {4})};
  e.nodes = {node("ln", "LayerNormalization", 0), node("ln_q", "QuantizeLinear", 0), node("q", "MatMul", 1), node("k", "MatMul", 1),
             node("s", "MatMul", 2)};
  e.summary.end_to_end = {6, 6, 6};
  add_tables(e);
  return e;
}

TEST(CompareEngines, MatchesBySourceNodesAndSplitsTheGain) {
  Report report{{float_engine(), fp8_engine()}, {}, {}, {}};
  compare_engines(report);
  ASSERT_EQ(report.layers.size(), 3u);
  EXPECT_THAT(report.layers[1].sides[0].steps, ElementsAre(1, 2));  // q and k are one layer: the other engine has them in one step
  EXPECT_THAT(report.layers[1].sides[1].steps, ElementsAre(1));
  EXPECT_EQ(report.layers[1].sides[0].time.median, 8);
  ASSERT_EQ(report.waterfall.size(), 1u);
  EXPECT_EQ(report.waterfall[0].cause, "fusion and precision");
  EXPECT_DOUBLE_EQ(report.waterfall[0].speed_up, 3);
  double parts = 0;
  for (const auto& part : report.waterfall[0].parts) parts += part.ms;
  EXPECT_DOUBLE_EQ(parts + report.waterfall[0].unattributed_ms, 12);
  ASSERT_EQ(report.slower.size(), 1u);
  EXPECT_EQ(report.layers[report.slower[0].layer].name, "ln");
  EXPECT_TRUE(report.slower[0].beyond_noise);
  EXPECT_DOUBLE_EQ(report.slower[0].delta_ms, 1);
}

TEST(CompareEngines, OneEngineHasNothingToCompare) {
  Report report{{float_engine()}, {}, {}, {}};
  compare_engines(report);
  EXPECT_TRUE(report.layers.empty() && report.waterfall.empty() && report.slower.empty());
}

TEST(CompareEngines, StrangersMatchByTheNamesOfSteps) {
  Report report{{float_engine(), fp8_engine()}, {}, {}, {}};
  for (SourceNode& n : report.engines[1].nodes) n.name += "_other";
  compare_engines(report);
  EXPECT_EQ(report.layers[0].sides[1].steps.size(), 1u);  // "ln"
  EXPECT_TRUE(report.layers[1].sides[1].steps.empty());   // "q"
}

TEST(Tables, CountTransitionsAndShares) {
  const Engine e = float_engine();
  ASSERT_EQ(e.transitions.size(), 1u);
  EXPECT_EQ(e.transitions[0].edges, 3);
  EXPECT_EQ(e.by_category[0].name, "gemm");
  EXPECT_EQ(e.by_category[0].ms, 8);
  EXPECT_EQ(e.by_precision[0].steps, 4);
}

TEST(Rooflines, TakeTheLongerOfComputeAndMemory) {
  Engine e = float_engine();
  e.roofs = {{"fast", 1e5, false, ""}, {"memory", 1e3, true, ""}};
  e.steps[0].bytes = 1, e.steps[1].bytes = 1, e.steps[1].flops = 1000;
  add_rooflines(e, [](const Step&) { return std::pair<std::string, double>("fast", 2); });
  EXPECT_EQ(e.steps[0].roofline.roof, "memory");
  EXPECT_DOUBLE_EQ(e.steps[0].roofline.roof_ms, 1);
  EXPECT_EQ(e.steps[1].roofline.roof, "fast");
  EXPECT_DOUBLE_EQ(e.steps[1].roofline.roof_ms, 20);
  EXPECT_DOUBLE_EQ(e.steps[1].roofline.percent, 500);
}

TEST(Trace, IsTheTraceEventFormat) {
  Report report{{float_engine()}, {}, {}, {}};
  StepTimes times;
  times.events = {{0, 0, 0, 4, 10, 1}, {0, 1, 0, 4, 11, 2}};
  const auto json = nlohmann::json::parse(to_trace(report, {times}));
  double end = 0;
  int steps = 0;
  for (const auto& event : json["traceEvents"]) {
    if (event["ph"] != "X") continue;
    steps += event["tid"] == 1;
    end = std::max(end, event["ts"].get<double>() + event["dur"].get<double>());
  }
  EXPECT_EQ(steps, 2);
  EXPECT_DOUBLE_EQ(end, 13000);  // microseconds
}

}  // namespace
}  // namespace octet::profile
