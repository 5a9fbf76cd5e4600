// Each pass on a small graph in text form: what it rewrites, and a near-match that it must leave alone.
#include <gtest/gtest.h>

#include "base/error.h"
#include "ops/gather.h"
#include "ops/gelu.h"
#include "ops/layer_normalization.h"
#include "ops/quantize.h"
#include "ops/transpose.h"
#include "ops/unary.h"
#include "passes/testing.h"

namespace octet::passes {
namespace {

using testing::graph_of;
using testing::run;

template <class T>
int count(const Graph& graph) {
  int n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) n += !graph.node(id).dead && graph.node(id).as<T>();
  return n;
}

int live_nodes(const Graph& graph) {
  int n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) n += !graph.node(id).dead;
  return n;
}

TEST(SinkDequantize, MovesTheDequantizationOfAWeightBehindItsTranspose) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,3]
    const %w: e4m3[2,3] = {0x38,0x40,0x44,0x48,0x30,0x28}
    const %s: f16[2] = {0.5, 2}
    %wd = DequantizeLinear(%w, %s) {axis=0}
    %wc = Cast(%wd) {to=f16}
    %wt = Transpose(%wc) {perm=[1,0]}
    %z = MatMul(%x, %wt)
    output %z
  )");
  EXPECT_EQ(run(sink_dequantize, graph), 1);
  EXPECT_EQ(run(fold_constants, graph), 1);
  const Node* dq = graph.producer_of(graph.find("wt"));
  ASSERT_TRUE(dq && dq->as<DequantizeLinear>());
  EXPECT_EQ(dq->as<DequantizeLinear>()->axis, 1);
  ASSERT_NE(graph.constant_of(dq->inputs[0]), nullptr);
  EXPECT_EQ(to_f32(*graph.constant_of(dq->inputs[0])), (std::vector<float>{1, 4, 2, 0.5, 3, 0.25}));
}

TEST(SinkDequantize, EvaluatesATableAndLeavesActivationsAlone) {
  Graph graph = graph_of(R"(
    input %ids: i64[batch,3]
    input %x: e4m3[batch,3]
    const %table: e4m3[2,2] = {0x38,0x40,0x44,0x48}
    const %s: f16[] = {0.5}
    %rows = DequantizeLinear(%table, %s)
    %y = Gather(%rows, %ids)
    %xd = DequantizeLinear(%x, %s)
    %z = Transpose(%xd) {perm=[1,0]}
    output %y
    output %z
  )");
  Notes notes;
  EXPECT_EQ(run(sink_dequantize, graph, &notes), 1);
  ASSERT_NE(graph.constant_of(graph.find("rows")), nullptr);
  EXPECT_EQ(to_f32(*graph.constant_of(graph.find("rows"))), (std::vector<float>{0.5, 1, 1.5, 2}));
  EXPECT_EQ(notes.size(), 1u);
  EXPECT_TRUE(graph.producer_of(graph.find("z"))->as<Transpose>());
}

TEST(FoldConstants, EvaluatesConstantsAndStaticShapesButKeepsWeightDequantization) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,6]
    const %a: f16[1,6] = {1,2,3,4,5,6}
    const %b: f16[] = {2}
    const %w: e4m3[6,2] = {0x38,0x38,0x38,0x38,0x38,0x38,0x38,0x38,0x38,0x38,0x38,0x38}
    const %s: f16[] = {0.5}
    %c = Mul(%a, %b)
    %y = Add(%x, %c)
    %wd = DequantizeLinear(%w, %s)
    %z = MatMul(%y, %wd)
    output %z
  )");
  EXPECT_EQ(run(fold_constants, graph), 1);
  EXPECT_EQ(count<DequantizeLinear>(graph), 1);
  const HostTensor* folded = graph.constant_of(graph.find("c"));
  ASSERT_NE(folded, nullptr);
  EXPECT_EQ(to_f32(*folded), (std::vector<float>{2, 4, 6, 8, 10, 12}));
}

TEST(FoldConstants, FoldsAShapeThatDoesNotDependOnTheBatch) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,3,4]
    const %i: i64[1] = {2}
    const %minus: i64[1] = {-1}
    %s = Shape(%x)
    %d = Gather(%s, %i)
    %t = Concat(%minus, %d) {axis=0}
    %y = Reshape(%x, %t)
    output %y
  )");
  EXPECT_GE(run(fold_constants, graph), 2);
  ASSERT_NE(graph.constant_of(graph.find("t")), nullptr);
  EXPECT_EQ(graph.constant_of(graph.find("t"))->at_int(1), 4);
}

TEST(FoldConstants, LeavesWhatDependsOnTheBatch) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,3]
    %s = Shape(%x)
    output %s
  )");
  EXPECT_EQ(run(fold_constants, graph), 0);
}

TEST(DropIdentities, RemovesWhatChangesNothingAndKeepsWhatDoes) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,3,4]
    const %same: i64[3] = {0,3,4}
    %a = Identity(%x)
    %b = Transpose(%a) {perm=[0,1,2]}
    %c = Cast(%b) {to=f16}
    %d = Reshape(%c, %same)
    %e = Transpose(%d) {perm=[0,2,1]}
    output %e
  )");
  EXPECT_EQ(run(drop_identities, graph), 4);
  EXPECT_EQ(live_nodes(graph), 1);
  EXPECT_EQ(count<Transpose>(graph), 1);
}

TEST(DropIdentities, KeepsAnIdentityThatNamesAnOutput) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,3]
    %y = Identity(%x)
    output %y
  )");
  EXPECT_EQ(run(drop_identities, graph), 0);
}

TEST(MergeDuplicates, OneQdqForEqualScales) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,4]
    const %s1: f16[] = {0.5}
    const %s2: f16[] = {0.5}
    const %z: e4m3[] = {0x00}
    %q1 = QuantizeLinear(%x, %s1, %z)
    %q2 = QuantizeLinear(%x, %s2, %z)
    %d1 = DequantizeLinear(%q1, %s1)
    %d2 = DequantizeLinear(%q2, %s2)
    %y = Add(%d1, %d2)
    output %y
  )");
  run(merge_duplicates, graph);
  EXPECT_EQ(count<QuantizeLinear>(graph), 1);
  EXPECT_EQ(count<DequantizeLinear>(graph), 1);
}

TEST(MergeDuplicates, DifferentScalesStayApart) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,4]
    const %s1: f16[] = {0.5}
    const %s2: f16[] = {0.25}
    const %z: e4m3[] = {0x00}
    %q1 = QuantizeLinear(%x, %s1, %z)
    %q2 = QuantizeLinear(%x, %s2, %z)
    %d1 = DequantizeLinear(%q1, %s1)
    %d2 = DequantizeLinear(%q2, %s2)
    %y = Add(%d1, %d2)
    output %y
  )");
  run(merge_duplicates, graph);
  EXPECT_EQ(count<QuantizeLinear>(graph), 2);
}

constexpr const char* kDoubleQdq = R"(
    input %x: f16[batch,3,4]
    const %s: f16[] = {0.5}
    const %t: f16[] = {SECOND}
    const %z: e4m3[] = {0x00}
    %q1 = QuantizeLinear(%x, %s, %z)
    %d1 = DequantizeLinear(%q1, %s)
    %p = Transpose(%d1) {perm=[0,2,1]}
    %q2 = QuantizeLinear(%p, %t, %z)
    %d2 = DequantizeLinear(%q2, %t)
    %y = Tanh(%d2)
    output %y
  )";

std::string double_qdq(const std::string& second) {
  std::string text = kDoubleQdq;
  return text.replace(text.find("SECOND"), 6, second);
}

TEST(CollapseQdq, RemovesTheSecondPairOfTheSameScale) {
  Graph graph = graph_of(double_qdq("0.5"));
  EXPECT_EQ(run(collapse_qdq, graph), 1);
  EXPECT_EQ(count<QuantizeLinear>(graph), 1);
  EXPECT_EQ(count<Transpose>(graph), 1);
}

TEST(CollapseQdq, KeepsAnotherScaleAndSaysWhy) {
  Graph graph = graph_of(double_qdq("0.25"));
  Notes notes;
  EXPECT_EQ(run(collapse_qdq, graph, &notes), 0);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("another scale"), std::string::npos);
}

std::string gated(const std::string& factor) {
  return R"(
    input %x: f16[batch,4]
    const %c: f16[] = {)" +
         factor + R"(}
    %a = Mul(%x, %c)
    %g = Sigmoid(%a)
    %y = Mul(%x, %g)
    output %y
  )";
}

TEST(FuseGelu, QuickGeluIsOneNode) {
  Graph graph = graph_of(gated("1.7021484"));
  EXPECT_EQ(run(fuse_gelu, graph), 1);
  EXPECT_EQ(count<QuickGelu>(graph), 1);
  EXPECT_EQ(live_nodes(graph), 1);
}

TEST(FuseGelu, AnotherFactorIsNoQuickGelu) {
  Graph graph = graph_of(gated("1.0"));
  Notes notes;
  EXPECT_EQ(run(fuse_gelu, graph, &notes), 0);
  EXPECT_EQ(count<Sigmoid>(graph), 1);
  EXPECT_FALSE(notes.empty());
}

std::string pooled(const std::string& tail) {
  return R"(
    input %x: f16[batch,5,2]
    const %g: f16[2] = {1,1}
    const %b: f16[2] = {0,0}
    const %i: i64[] = {0}
    %n = LayerNormalization(%x, %g, %b)
    %y = Gather(%n, %i) {axis=1}
  )" + tail;
}

TEST(PickByItem, RewritesARowOfFlattenedItemsAndNoOtherStride) {
  for (const int stride : {3, 2}) {
    Graph graph = graph_of(fmt::format(R"(
      input %x: f16[batch,3,4]
      input %row: i64[batch]
      const %flat: i64[2] = {{-1,4}}
      const %zero: i64[] = {{0}}
      const %one: i64[] = {{1}}
      const %stride: i64[] = {{{}}}
      %s = Shape(%x) {{start=0, end=1}}
      %n = Gather(%s, %zero)
      %items = Range(%zero, %n, %one)
      %offset = Mul(%items, %stride)
      %i = Add(%offset, %row)
      %r = Reshape(%x, %flat)
      %y = Gather(%r, %i)
      output %y
    )",
                                       stride));
    EXPECT_EQ(run(pick_by_item, graph), stride == 3);
    EXPECT_EQ(count<GatherND>(graph), stride == 3);
  }
}

TEST(PoolBeforeNorm, TheRowIsTakenFirst) {
  Graph graph = graph_of(pooled("output %y\n"));
  EXPECT_EQ(run(pool_before_norm, graph), 1);
  const Node* norm = graph.producer_of(graph.find("y"));
  ASSERT_NE(norm, nullptr);
  EXPECT_NE(norm->as<LayerNormalization>(), nullptr);
  EXPECT_EQ(to_string(graph.value(norm->inputs[0]).type->shape), "[batch,2]");
}

TEST(PoolBeforeNorm, StaysWhenAllRowsAreUsed) {
  Graph graph = graph_of(pooled("output %y\noutput %n\n"));
  Notes notes;
  EXPECT_EQ(run(pool_before_norm, graph, &notes), 0);
  EXPECT_EQ(notes.size(), 1u);
}

TEST(Pipeline, ReportsEveryPassSwitchesOffAndRefusesUnknownNames) {
  Graph graph = graph_of(gated("1.7021484"));
  Options options;
  options.disabled = {"fuse-gelu"};
  const auto reports = run_pipeline(graph, options);
  EXPECT_EQ(reports.size(), pipeline().size());
  EXPECT_EQ(count<QuickGelu>(graph), 0);
  options.disabled = {"fuse-gelo"};
  try {
    run_pipeline(graph, options);
    FAIL() << "an unknown pass was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUsage);
    EXPECT_NE(error.fix().find("fuse-gelu"), std::string::npos);
  }
}

}  // namespace
}  // namespace octet::passes
