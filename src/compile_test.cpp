// Passes and lowering together, on small graphs in text form: what folds into a step, what is refused and why. Every plan is validated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "ir/text.h"
#include "lower/lower.h"
#include "ops/list.h"
#include "passes/pipeline.h"
#include "plan/validate.h"

namespace octet {
namespace {

using testing::HasSubstr;

std::shared_ptr<plan::Plan> lowered(const std::string& body, const LowerOptions& options = {}) {
  Graph graph = parse_graph("graph test opset 20\n" + body, find_op);
  plan::Source source = record_source(graph);
  passes::run_pipeline(graph);
  auto plan = lower(graph, std::move(source), options);
  plan->creator = "test";
  plan::validate(*plan);
  return plan;
}

std::string kinds(const plan::Plan& plan) {
  std::string out;
  for (const auto& step : plan.steps) out += std::string(plan::kind_of(step.op)) + " ";
  return out;
}

std::string refusal(const std::string& body) {
  try {
    lowered(body);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
    return error.message();
  }
  return "accepted";
}

// LayerNorm -> Q -> FP8 linear with bias, GELU and Q -> FP8 linear with bias and residual: an MLP block.
const std::string kMlp = R"(
  input %x: f16[batch,3,4]
  const %g: f16[4] = {1,1,1,1}
  const %b: f16[4] = {0,0,0,0}
  const %z: e4m3[] = {0x00}
  const %s1: f16[] = {0.5}
  const %s2: f16[] = {0.25}
  const %ws: f16[] = {0.125}
  const %w1: e4m3[4,2] = {0x38,0x30,0x38,0x30,0x38,0x30,0x38,0x30}
  const %b1: f16[2] = {1,2}
  const %w2: e4m3[2,4] = {0x38,0x38,0x38,0x38,0x30,0x30,0x30,0x30}
  const %b2: f16[4] = {1,2,3,4}
  %n = LayerNormalization(%x, %g, %b) "norm"
  %q1 = QuantizeLinear(%n, %s1, %z)
  %d1 = DequantizeLinear(%q1, %s1, %z)
  %wd1 = DequantizeLinear(%w1, %ws)
  %m1 = MatMul(%d1, %wd1) "fc1"
  %a1 = Add(%b1, %m1)
  %h = Gelu(%a1)
  %q2 = QuantizeLinear(%h, %s2, %z)
  %d2 = DequantizeLinear(%q2, %s2, %z)
  %wd2 = DequantizeLinear(%w2, %ws)
  %m2 = MatMul(%d2, %wd2) "fc2"
  %a2 = Add(%m2, %b2)
  %y = Add(%a2, %x)
  output %y
)";

TEST(Lower, AnMlpBlockIsThreeSteps) {
  const auto plan = lowered(kMlp);
  EXPECT_EQ(kinds(*plan), "norm gemm gemm ");
  const auto& norm = std::get<plan::Norm>(plan->steps[0].op);
  EXPECT_EQ(plan->buffers[norm.out].dtype, DType::e4m3);
  EXPECT_EQ(norm.out_scale, 0.5f);
  const auto& fc1 = std::get<plan::Gemm>(plan->steps[1].op);
  EXPECT_EQ(fc1.activation, plan::Activation::kGeluErf);
  EXPECT_EQ(fc1.ranges.at(0).alpha, 0.5f * 0.125f);
  EXPECT_EQ(fc1.ranges.at(0).out_scale, 0.25f);
  EXPECT_EQ(plan->weights[fc1.weight].dims, (std::vector<int64_t>{2, 4}));
  const auto& fc2 = std::get<plan::Gemm>(plan->steps[2].op);
  EXPECT_NE(fc2.residual, plan::kNoId);
  EXPECT_EQ(plan->buffers[fc2.out].dtype, DType::f16);
}

TEST(Lower, WeightsAreTransposedToRowsOfOutputs) {
  const auto plan = lowered(kMlp);
  const auto& fc1 = std::get<plan::Gemm>(plan->steps[1].op);
  const auto bytes = plan->weight_bytes[fc1.weight];
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(bytes[i], std::byte{0x38});
  for (size_t i = 4; i < 8; ++i) EXPECT_EQ(bytes[i], std::byte{0x30});
}

TEST(Lower, StepsHaveNamesOfTheirOwnWhateverTheNodesHave) {
  std::string body = kMlp;
  body.replace(body.find(" \"fc1\""), 6, "");
  body.replace(body.find("\"fc2\""), 5, "\"norm\"");
  const auto plan = lowered(body);
  std::set<std::string> names;
  for (const auto& step : plan->steps) names.insert(step.name);
  EXPECT_EQ(names.size(), plan->steps.size());
  EXPECT_TRUE(names.contains("norm"));
  EXPECT_FALSE(names.contains(""));
}

TEST(Lower, EverySourceNodeIsAccountedForOnce) {
  const auto plan = lowered(kMlp);
  std::vector<int> seen(plan->source.nodes.size(), 0);
  for (const auto& step : plan->source.steps)
    for (const uint32_t node : step) ++seen[node];
  for (const uint32_t node : plan->source.folded) ++seen[node];
  EXPECT_THAT(seen, testing::Each(1));
}

// One attention of two heads of four over three tokens; QDQ between the parts where FP8 is asked for.
std::string attention(const std::string& q_scale, const std::string& mask) {
  std::string text = R"(
  input %x: f16[batch,3,8]
  const %g: f16[8] = {1,1,1,1,1,1,1,1}
  const %z: e4m3[] = {0x00}
  const %s: f16[] = {0.5}
  const %one: f16[] = {QSCALE}
  const %ps: f16[] = {0.0022315979}
  const %c: f16[] = {0.5}
  const %split: i64[4] = {0,3,2,4}
  const %merge: i64[3] = {0,3,8}
  const %mask: f16[1,1,3,3] = {MASK}
)";
  for (const char w : {'q', 'k', 'v', 'o'}) {  // different weights: equal ones would be merged into one projection
    text += fmt::format("  const %w{}: e4m3[8,8] = {{", w);
    for (int i = 0; i < 64; ++i) text += fmt::format("{}{:#04x}", i ? "," : "", i == 0 ? 0x30 + (w & 7) : 0x38);
    text += "}\n";
  }
  text += R"(
  %n = LayerNormalization(%x, %g)
  %nq = QuantizeLinear(%n, %s, %z)
  %nd = DequantizeLinear(%nq, %s, %z)
  %dq = DequantizeLinear(%wq, %s)
  %dk = DequantizeLinear(%wk, %s)
  %dv = DequantizeLinear(%wv, %s)
  %do = DequantizeLinear(%wo, %s)
  %q = MatMul(%nd, %dq) "q"
  %k = MatMul(%nd, %dk) "k"
  %v = MatMul(%nd, %dv) "v"
  %q4 = Reshape(%q, %split)
  %k4 = Reshape(%k, %split)
  %v4 = Reshape(%v, %split)
  %qt = Transpose(%q4) {perm=[0,2,1,3]}
  %kt = Transpose(%k4) {perm=[0,2,3,1]}
  %vt = Transpose(%v4) {perm=[0,2,1,3]}
  %qm = Mul(%qt, %c)
  %qq = QuantizeLinear(%qm, %one, %z)
  %qd = DequantizeLinear(%qq, %one, %z)
  %kq = QuantizeLinear(%kt, %s, %z)
  %kd = DequantizeLinear(%kq, %s, %z)
  %vq = QuantizeLinear(%vt, %s, %z)
  %vd = DequantizeLinear(%vq, %s, %z)
  %sc = MatMul(%qd, %kd) "scores"
  %sm = Add(%sc, %mask)
  %p = Softmax(%sm) "softmax"
  %pq = QuantizeLinear(%p, %ps, %z)
  %pd = DequantizeLinear(%pq, %ps, %z)
  %o = MatMul(%pd, %vd) "pv"
  %oq = QuantizeLinear(%o, %s, %z)
  %od = DequantizeLinear(%oq, %s, %z)
  %ot = Transpose(%od) {perm=[0,2,1,3]}
  %om = Reshape(%ot, %merge)
  %y = MatMul(%om, %do) "out"
  output %y
)";
  text.replace(text.find("QSCALE"), 6, q_scale);
  return text.replace(text.find("MASK"), 4, mask);
}

constexpr const char* kCausal = "0,-inf,-inf,0,0,-inf,0,0,0";

TEST(Lower, AnAttentionBlockIsFourStepsWithOneMergedProjection) {
  const auto plan = lowered(attention("0.25", kCausal));
  EXPECT_EQ(kinds(*plan), "norm gemm attention gemm ");
  const auto& qkv = std::get<plan::Gemm>(plan->steps[1].op);
  ASSERT_EQ(qkv.ranges.size(), 3u);
  EXPECT_EQ(qkv.n, 24u);
  EXPECT_EQ(qkv.ranges[0].mul, 0.5f);
  EXPECT_EQ(qkv.ranges[0].out_scale, 0.25f);
  EXPECT_EQ(qkv.ranges[1].out_scale, 0.5f);
  const auto& step = std::get<plan::Attention>(plan->steps[2].op);
  EXPECT_TRUE(step.causal);
  EXPECT_EQ(step.q.column, 0u);
  EXPECT_EQ(step.k.column, 8u);
  EXPECT_EQ(step.v.column, 16u);
  EXPECT_EQ(step.q.row_stride, 24u);
  EXPECT_FLOAT_EQ(step.p_scale, 0.0022315979f);
  EXPECT_EQ(step.out_scale, 0.5f);
}

TEST(Lower, UnfusedAttentionIsThreeStepsOfTheSameScalesAndNodes) {
  const auto fused = lowered(attention("0.25", kCausal)), plan = lowered(attention("0.25", kCausal), {.fuse_attention = false});
  EXPECT_EQ(kinds(*plan), "norm gemm scores softmax values gemm ");
  const auto& whole = std::get<plan::Attention>(fused->steps[2].op);
  const auto& scores = std::get<plan::Scores>(plan->steps[2].op);
  const auto& softmax = std::get<plan::Softmax>(plan->steps[3].op);
  const auto& values = std::get<plan::Values>(plan->steps[4].op);
  EXPECT_TRUE(scores.causal && softmax.causal && values.causal);
  EXPECT_EQ(scores.k.column, whole.k.column);
  EXPECT_EQ(plan->buffers[scores.out].dtype, DType::f16);  // as the model's product has it
  EXPECT_EQ(plan->buffers[softmax.out].dtype, DType::e4m3);
  EXPECT_EQ(softmax.out_scale, whole.p_scale);
  EXPECT_EQ(values.p_scale, whole.p_scale);
  EXPECT_EQ(values.v.column, whole.v.column);
  EXPECT_EQ(values.out_scale, whole.out_scale);
  // The three stand for what the one stood for, each node once.
  std::vector<uint32_t> nodes;
  for (size_t step = 2; step < 5; ++step) {
    EXPECT_FALSE(plan->source.steps[step].empty());
    nodes.insert(nodes.end(), plan->source.steps[step].begin(), plan->source.steps[step].end());
  }
  std::ranges::sort(nodes);
  EXPECT_EQ(nodes, fused->source.steps[2]);
  const auto has = [&](size_t step, const char* op) {
    return std::ranges::any_of(plan->source.steps[step], [&](uint32_t node) { return plan->source.nodes[node].op == op; });
  };
  EXPECT_TRUE(has(2, "Add") && has(3, "Softmax") && has(3, "QuantizeLinear") && !has(3, "MatMul") && has(4, "MatMul"));
}

TEST(Lower, AZeroMaskIsNoMask) {
  const auto plan = lowered(attention("0.25", "0,0,0,0,0,0,0,0,0"));
  EXPECT_FALSE(std::get<plan::Attention>(plan->steps[2].op).causal);
}

TEST(Lower, AnotherMaskIsRefusedWithTheReason) {
  const std::string message = refusal(attention("0.25", "0,0,-inf,0,0,-inf,0,0,0"));
  EXPECT_THAT(message, HasSubstr("softmax"));
  EXPECT_THAT(message, HasSubstr("mask is causal only in part"));
}

TEST(Lower, SharedProjectionsAreRefused) {
  std::string text = attention("0.25", kCausal);
  text.replace(text.find("MatMul(%nd, %dk)"), 16, "MatMul(%nd, %dq)");
  EXPECT_THAT(refusal(text), HasSubstr("do not come from three projections"));
}

TEST(Lower, AnUnknownNodeIsNamed) {
  const std::string message = refusal(R"(
  input %x: f16[batch,4]
  %y = Tanh(%x) "lonely"
  output %y
)");
  EXPECT_THAT(message, HasSubstr("`lonely` (Tanh)"));
}

TEST(Lower, ABakedBatchIsRefusedWithARemedy) {
  try {
    lowered("input %x: f16[2,4]\n%y = Tanh(%x)\noutput %y\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
    EXPECT_THAT(error.fix(), HasSubstr("dynamic batch"));
  }
}

}  // namespace
}  // namespace octet
