// The passes that bring other writers' spellings to one form: what each rewrites, and near-matches that it must leave alone.
#include <gtest/gtest.h>

#include "interp/interp.h"
#include "ops/arithmetic.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/gelu.h"
#include "ops/layer_normalization.h"
#include "ops/matmul.h"
#include "ops/softmax.h"
#include "ops/transpose.h"
#include "ops/where.h"
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

// Both graphs' only outputs for one f32 input, to 1e-5.
void expect_same(const Graph& a, const Graph& b, std::vector<int64_t> dims) {
  HostTensor x(DType::f32, std::move(dims));
  for (int64_t i = 0; i < x.count(); ++i) x.set(i, 0.37 * static_cast<double>((i * 7) % 11) - 1.9);
  const HostTensor one[] = {x};
  const auto left = to_f32(interpret(a, one)[0]), right = to_f32(interpret(b, one)[0]);
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) EXPECT_NEAR(left[i], right[i], 1e-5) << i;
}

const std::string kNormHead = R"(
    input %x: f32[batch,3,4]
    const %two: f32[] = {2}
    const %eps: f32[] = {1e-3}
    const %gamma: f32[4] = {1,2,3,4}
    const %beta: f32[4] = {0.5,0,-1,2}
    %mean = ReduceMean(%x) {axes=[-1]}
    %d = Sub(%x, %mean)
)";

TEST(FuseLayerNorm, DivisionByARoot) {
  const std::string text = kNormHead + R"(
    %square = Pow(%d, %two)
    %variance = ReduceMean(%square) {axes=[-1]}
    %shifted = Add(%variance, %eps)
    %root = Sqrt(%shifted)
    %n = Div(%d, %root)
    %scaled = Mul(%gamma, %n)
    %y = Add(%scaled, %beta)
    output %y
)";
  Graph graph = graph_of(text, 17);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) graph.node(id).source = {std::to_string(id)};
  EXPECT_EQ(run(fuse_layer_norm, graph), 1);
  EXPECT_EQ(live_nodes(graph), 1);
  ASSERT_EQ(count<LayerNormalization>(graph), 1);
  EXPECT_FLOAT_EQ(graph.node(0).as<LayerNormalization>()->epsilon, 1e-3f);
  EXPECT_EQ(graph.node(0).source.size(), 9u);
  expect_same(graph, graph_of(text, 17), {2, 3, 4});
}

TEST(FuseLayerNorm, ProductWithAReciprocalAndNoParameters) {
  const std::string text = kNormHead + R"(
    %square = Mul(%d, %d)
    %variance = ReduceMean(%square) {axes=[2]}
    %shifted = Add(%eps, %variance)
    %root = Sqrt(%shifted)
    %inverse = Reciprocal(%root)
    %y = Mul(%inverse, %d)
    output %y
)";
  Graph graph = graph_of(text, 17);
  EXPECT_EQ(run(fuse_layer_norm, graph), 1);
  EXPECT_EQ(live_nodes(graph), 1);
  expect_same(graph, graph_of(text, 17), {2, 3, 4});
}

TEST(FuseLayerNorm, StatisticsInAWiderType) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,4]
    const %two: f64[] = {2}
    const %eps: f64[] = {1e-5}
    const %gamma: f16[4] = {1,2,3,4}
    %mean = ReduceMean(%x) {axes=[-1]}
    %d = Sub(%x, %mean)
    %wide = Cast(%d) {to=f64}
    %square = Pow(%wide, %two)
    %variance = ReduceMean(%square) {axes=[-1]}
    %shifted = Add(%variance, %eps)
    %root = Sqrt(%shifted)
    %n = Div(%wide, %root)
    %narrow = Cast(%n) {to=f16}
    %y = Mul(%narrow, %gamma)
    output %y
)",
                         17);
  EXPECT_EQ(run(fuse_layer_norm, graph), 1);
  EXPECT_EQ(live_nodes(graph), 1);
}

TEST(FuseLayerNorm, LeavesOtherFormulasAlone) {
  for (const char* tail : {"%variance = ReduceMean(%square) {axes=[1]}\n", "%variance = ReduceSum(%square)\n"}) {
    Graph graph = graph_of(kNormHead + "%square = Pow(%d, %two)\n" + tail +
                               "%shifted = Add(%variance, %eps)\n%root = Sqrt(%shifted)\n%y = Div(%d, %root)\noutput %y\n",
                           17);
    EXPECT_EQ(run(fuse_layer_norm, graph), 0) << tail;
  }
  Graph cubed = graph_of(kNormHead + R"(
    const %three: f32[] = {3}
    %square = Pow(%d, %three)
    %variance = ReduceMean(%square) {axes=[-1]}
    %shifted = Add(%variance, %eps)
    %root = Sqrt(%shifted)
    %y = Div(%d, %root)
    output %y
)",
                         17);
  EXPECT_EQ(run(fuse_layer_norm, cubed), 0);
}

const std::string kErf = R"(
    input %x: f32[batch,4]
    const %root: f32[] = {1.41421}
    const %one: f32[] = {1}
    const %half: f32[] = {0.5}
    %u = Div(%x, %root)
    %e = Erf(%u)
    %gate = Add(%e, %one)
)";

TEST(FuseGelu, ErfInAnyGrouping) {
  for (const char* tail : {"%p = Mul(%x, %gate)\n%y = Mul(%p, %half)\n", "%p = Mul(%half, %x)\n%y = Mul(%p, %gate)\n",
                           "%p = Mul(%gate, %half)\n%y = Mul(%x, %p)\n"}) {
    const std::string text = kErf + tail + "output %y\n";
    Graph graph = graph_of(text);
    EXPECT_EQ(run(fuse_gelu, graph), 1) << tail;
    EXPECT_EQ(live_nodes(graph), 1) << tail;
    EXPECT_EQ(count<Gelu>(graph), 1);
    expect_same(graph, graph_of(text), {3, 4});
  }
}

TEST(FuseGelu, TanhWithACube) {
  const std::string text = R"(
    input %x: f32[batch,4]
    const %three: f32[] = {3}
    const %a: f32[] = {0.044715}
    const %b: f32[] = {0.7978846}
    const %one: f32[] = {1}
    const %half: f32[] = {0.5}
    %cube = Pow(%x, %three)
    %small = Mul(%cube, %a)
    %sum = Add(%x, %small)
    %u = Mul(%sum, %b)
    %t = Tanh(%u)
    %gate = Add(%one, %t)
    %p = Mul(%half, %x)
    %y = Mul(%p, %gate)
    output %y
)";
  Graph graph = graph_of(text);
  EXPECT_EQ(run(fuse_gelu, graph), 1);
  EXPECT_EQ(live_nodes(graph), 1);
  expect_same(graph, graph_of(text), {3, 4});
}

TEST(FuseGelu, LeavesOtherFactorsAlone) {
  Graph whole = graph_of(kErf + "%y = Mul(%x, %gate)\noutput %y\n");  // twice GELU
  EXPECT_EQ(run(fuse_gelu, whole), 0);
  Graph squared = graph_of(kErf + "%p = Mul(%x, %x)\n%q = Mul(%p, %half)\n%y = Mul(%q, %gate)\noutput %y\n");
  EXPECT_EQ(run(fuse_gelu, squared), 0);
}

TEST(ExpandGemm, TurnsAStoredMatrixAndKeepsItsQuantization) {
  const std::string text = R"(
    input %x: f32[batch,2]
    const %w: e4m3[3,2] = {0x38,0x40,0x44,0x48,0x30,0x28}
    const %s: f32[3] = {0.5, 2, 1}
    const %b: f32[3] = {1,2,3}
    %wd = DequantizeLinear(%w, %s) {axis=0}
    %y = Gemm(%x, %wd, %b) {transB=1}
    output %y
)";
  Graph graph = graph_of(text);
  EXPECT_EQ(run(expand_gemm, graph), 1);
  EXPECT_EQ(run(sink_dequantize, graph), 1);
  EXPECT_EQ(count<MatMul>(graph), 1);
  EXPECT_EQ(count<Add>(graph), 1);
  EXPECT_EQ(count<Gemm>(graph), 0);
  expect_same(graph, graph_of(text), {2, 2});
}

TEST(ExpandGemm, LeavesScaledProductsAlone) {
  Graph graph = graph_of(R"(
    input %x: f32[batch,2]
    const %w: f32[2,1] = {1,2}
    %y = Gemm(%x, %w) {alpha=2}
    output %y
)");
  Notes notes;
  EXPECT_EQ(run(expand_gemm, graph, &notes), 0);
  EXPECT_EQ(notes.size(), 1u);
}

TEST(SinkExpand, AMaskBuiltFromConstantsFoldsOnce) {
  Graph graph = graph_of(R"(
    input %x: f32[batch,2,2]
    const %keep: bool[1,2,2] = {1,0,1,1}
    const %rest: i64[2] = {2,2}
    const %zero: f32[] = {0}
    const %low: f32[] = {-1e9}
    %batch = Shape(%x) {end=1}
    %shape = Concat(%batch, %rest) {axis=0}
    %wide = Expand(%keep, %shape)
    %mask = Where(%wide, %zero, %low)
    %y = Add(%x, %mask)
    output %y
)");
  EXPECT_EQ(run(sink_expand, graph), 2);  // behind Where, then dropped before Add
  EXPECT_EQ(count<Expand>(graph), 0);
  EXPECT_EQ(run(fold_constants, graph), 1);
  EXPECT_EQ(live_nodes(graph), 1);
}

TEST(SinkExpand, AnOutputThatIsRepeatedStays) {
  Graph graph = graph_of(R"(
    input %x: f32[batch,2]
    const %c: f32[1,2] = {1,2}
    %shape = Shape(%x)
    %wide = Expand(%c, %shape)
    %y = Add(%wide, %c)
    output %y
)");
  EXPECT_EQ(run(sink_expand, graph), 0);
  EXPECT_EQ(count<Expand>(graph), 1);
}

Graph guarded(const std::string& mask) {
  return graph_of(R"(
    input %s: f32[batch,2,2]
    const %zero: f32[] = {0}
)" + mask + R"(
    %sum = Add(%s, %mask)
    %p = Softmax(%sum)
    %bad = IsNaN(%p)
    %q = Where(%bad, %zero, %p)
    %y = Neg(%q)
    output %y
)");
}

TEST(DropNanGuard, GoesWhereEachRowHasAScore) {
  Graph graph = guarded("const %mask: f32[2,2] = {0,-inf,0,0}");
  EXPECT_EQ(run(drop_nan_guard, graph), 1);
  EXPECT_EQ(count<Where>(graph), 0);
}

TEST(DropNanGuard, StaysWhereARowMayHaveNone) {
  for (const char* mask : {"const %mask: f32[2,2] = {-inf,-inf,0,0}", "input %mask: f32[batch,2,2]"}) {
    Graph graph = guarded(mask);
    Notes notes;
    EXPECT_EQ(run(drop_nan_guard, graph, &notes), 0) << mask;
    EXPECT_EQ(notes.size(), 1u);
  }
}

TEST(UnflattenTranspose, FlattenedHeadsAreTransposedAsTheyAre) {
  const std::string text = R"(
    input %x: f32[batch,2,3,4]
    const %flat: i64[3] = {-1,3,4}
    const %whole: i64[4] = {-1,2,4,3}
    %f = Reshape(%x, %flat)
    %t = Transpose(%f) {perm=[0,2,1]}
    %y = Reshape(%t, %whole)
    output %y
)";
  Graph graph = graph_of(text);
  EXPECT_EQ(run(unflatten_transpose, graph), 1);
  EXPECT_EQ(live_nodes(graph), 1);
  EXPECT_EQ(graph.node(0).as<Transpose>()->perm, (std::vector<int64_t>{0, 1, 3, 2}));
  expect_same(graph, graph_of(text), {2, 2, 3, 4});
}

TEST(UnflattenTranspose, AnotherShapeBehindStays) {
  Graph graph = graph_of(R"(
    input %x: f32[batch,2,3,4]
    const %flat: i64[3] = {-1,3,4}
    const %other: i64[4] = {-1,2,3,4}
    %f = Reshape(%x, %flat)
    %t = Transpose(%f) {perm=[0,2,1]}
    %y = Reshape(%t, %other)
    output %y
)");
  EXPECT_EQ(run(unflatten_transpose, graph), 0);
}

TEST(PickByItem, PairsOfItemAndRow) {
  Graph graph = graph_of(R"(
    input %x: f32[batch,3,4]
    input %row: i64[batch,1]
    const %zero: i64[] = {0}
    const %one: i64[] = {1}
    const %last: i64[1] = {-1}
    %shape = Shape(%x) {end=1}
    %batch = Squeeze(%shape)
    %range = Range(%zero, %batch, %one)
    %item = Unsqueeze(%range, %last)
    %pair = Concat(%item, %row) {axis=-1}
    %y = GatherND(%x, %pair)
    output %y
)");
  EXPECT_EQ(run(pick_by_item, graph), 1);
  ASSERT_EQ(live_nodes(graph), 1);
  EXPECT_EQ(graph.node(0).as<GatherND>()->batch_dims, 1);
}

}  // namespace
}  // namespace octet::passes
