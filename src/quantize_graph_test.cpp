// What the ONNX road does to small graphs in text form: masks as their writers spell them, the factor of scores, the trunk's end.
#include "quantize_graph.h"

#include <gmock/gmock.h>

#include "compile.h"
#include "cpu/backend.h"
#include "formats/hostile_testing.h"
#include "ir/text.h"
#include "ops/arithmetic.h"
#include "ops/list.h"
#include "ops/quantize.h"

namespace octet {
namespace {

using testing::code_of;

// x [batch, 4, 8] -> norm -> three linears -> two heads of 4 -> scores -> `scores_to_p`, which turns %s into %p -> output projection.
std::string attention(const std::string& inputs, const std::string& scores_to_p, const std::string& end = "output %y") {
  std::string matrices;
  int first = 0;
  for (const char* name : {"wq", "wk", "wv", "wo"}) {
    ++first;
    matrices += fmt::format("const %{}: f32[8,8] = {{", name);
    for (int i = 0; i < 64; ++i) matrices += fmt::format("{}{}", i == 0 ? "" : ",", (i * 7 + first) % 11 - 5);
    matrices += "}\n";
  }
  return "graph t opset 20\ninput %x: f32[batch,4,8]\n" + inputs + matrices + R"(
    const %heads: i64[4] = {0,4,2,4}
    const %merged: i64[3] = {0,4,8}
    const %gamma: f32[8] = {1,2,1,2,1,2,1,2}
    %h = LayerNormalization(%x, %gamma) {axis=-1}
    %q = MatMul(%h, %wq)
    %k = MatMul(%h, %wk)
    %v = MatMul(%h, %wv)
    %qs = Reshape(%q, %heads)
    %ks = Reshape(%k, %heads)
    %vs = Reshape(%v, %heads)
    %qt = Transpose(%qs) {perm=[0,2,1,3]}
    %kt = Transpose(%ks) {perm=[0,2,3,1]}
    %vt = Transpose(%vs) {perm=[0,2,1,3]}
    %s = MatMul(%qt, %kt)
  )" + scores_to_p +
         R"(
    %o = MatMul(%p, %vt)
    %ot = Transpose(%o) {perm=[0,2,1,3]}
    %om = Reshape(%ot, %merged)
    %y = MatMul(%om, %wo)
  )" + end +
         "\n";
}
Graph parsed(const std::string& text) {
  Graph graph = parse_graph(text, find_op);
  check_types(graph);
  return graph;
}
const plan::Attention* attention_of(const plan::Plan& plan) {
  for (const plan::Step& step : plan.steps)
    if (const auto* found = std::get_if<plan::Attention>(&step.op)) return found;
  return nullptr;
}

const std::string kMask =
    "input %m: i64[batch,4]\nconst %axes: i64[2] = {1,2}\nconst %one: f32[] = {1}\nconst %zero: f32[] = {0}\n"
    "const %low: f32[] = {-3.4e38}\nconst %weak: f32[] = {-100}\nconst %none: i64[] = {0}\n%w4 = Unsqueeze(%m, %axes)\n";
const std::string kSoftmax = "%ms = Add(%s, %b)\n%p = Softmax(%ms) {axis=-1}\n";

TEST(MaskOfKeys, IsFoundAsItsWritersSpellIt) {
  const std::string spellings[] = {
      "%f = Cast(%w4) {to=f32}\n%u = Sub(%one, %f)\n%b = Mul(%u, %low)\n",                                 // before masked_fill
      "%f = Cast(%w4) {to=f32}\n%u = Sub(%one, %f)\n%c = Cast(%u) {to=bool}\n%b = Where(%c, %low, %u)\n",  // masked_fill
      "%c = Cast(%w4) {to=bool}\n%b = Where(%c, %zero, %low)\n",
      "%c = Equal(%w4, %none)\n%b = Where(%c, %low, %zero)\n",
      "%c = Cast(%w4) {to=bool}\n%n = Not(%c)\n%b = Where(%n, %low, %zero)\n",
  };
  for (const std::string& spelling : spellings) {
    const auto plan = compile(parsed(attention(kMask, spelling + kSoftmax)), {});
    const plan::Attention* found = attention_of(*plan);
    ASSERT_NE(found, nullptr) << spelling;
    ASSERT_NE(found->mask, plan::kNoId) << spelling;
    EXPECT_EQ(plan->buffers[found->mask].name, "m") << spelling;
  }
}

TEST(MaskOfKeys, IsNotTakenForOne) {
  const std::string others[] = {
      "%f = Cast(%w4) {to=f32}\n%b = Mul(%f, %low)\n",                       // hides the wrong ones
      "%f = Cast(%w4) {to=f32}\n%u = Sub(%one, %f)\n%b = Mul(%u, %weak)\n",  // a bias, not a mask
      "%c = Cast(%w4) {to=bool}\n%b = Where(%c, %one, %low)\n",              // seen keys gain
      "const %rows: i64[4] = {0,1,4,1}\n%r = Reshape(%m, %rows)\n%f = Cast(%r) {to=f32}\n%u = Sub(%one, %f)\n%b = Mul(%u, "
      "%low)\n",  // queries
  };
  for (const std::string& other : others)
    EXPECT_EQ(code_of([&] { compile(parsed(attention(kMask, other + kSoftmax)), {}); }), Code::kUnsupported) << other;
}

std::vector<CalibrationSite> observed(const plan::Plan& plan) {
  Calibration calibration(plan);
  std::vector<CalibrationSite> sites = calibration.sites();
  const float value = 3;
  for (CalibrationSite& site : sites) site.observer.add({&value, 1});
  return sites;
}

TEST(QuantizeGraph, TheFactorOfScoresGoesInFrontOfTheProduct) {
  const std::string half = "const %c: f32[] = {2}\n%d = Div(%s, %c)\n%p = Softmax(%d) {axis=-1}\n";
  const Graph prepared = prepare_to_quantize(parsed(attention("", half)), 20);
  const Trunk trunk = compile_trunk(prepared, cpu::make_backend());
  EXPECT_TRUE(trunk.left.empty());
  const QuantizedGraph quantized = quantize_graph(prepared, observed(*trunk.plan), {});
  EXPECT_EQ(quantized.tensors.size(), 4u + 1 + 4);  // attention, the norm, weights: the output projection reads the attention's codes
  for (NodeId id = 0; id < static_cast<NodeId>(quantized.graph.node_count()); ++id)
    EXPECT_FALSE(quantized.graph.node(id).as<Div>()) << "the division is left";
  const auto plan = compile(quantized.graph, {});
  const plan::Attention* found = attention_of(*plan);
  ASSERT_NE(found, nullptr);
  EXPECT_FLOAT_EQ(found->score_scale, 1);
  EXPECT_GT(found->p_scale, 0);
}

TEST(QuantizeGraph, CutsTheTrunkWhereStepsEnd) {
  const std::string softmax = "%p = Softmax(%s) {axis=-1}\n";
  const Graph prepared = prepare_to_quantize(parsed(attention("", softmax, "%e = Exp(%y)\n%z = Tanh(%e)\noutput %z")), 20);
  const Trunk trunk = compile_trunk(prepared, cpu::make_backend());
  EXPECT_EQ(trunk.nodes, 2u);
  ASSERT_EQ(trunk.plan->outputs.size(), 1u);
  EXPECT_EQ(trunk.plan->outputs[0].name, "y");
  EXPECT_EQ(code_of([] {
              compile_trunk(prepare_to_quantize(parsed("graph t opset 20\ninput %x: f32[batch,3]\n%y = Exp(%x)\noutput %y\n"), 20),
                            cpu::make_backend());
            }),
            Code::kUnsupported);
}

}  // namespace
}  // namespace octet
