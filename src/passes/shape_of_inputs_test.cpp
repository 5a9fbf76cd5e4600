// shape-of-inputs: what becomes a shape of a graph input, and what cannot.
#include <gtest/gtest.h>

#include "ops/shape.h"
#include "passes/testing.h"

namespace octet::passes {
namespace {

using testing::graph_of;
int run(Graph& graph) { return testing::run(shape_of_inputs, graph); }

// The tensors whose shape is asked for.
std::vector<std::string> asked(const Graph& graph) {
  std::vector<std::string> names;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id)
    if (const Node& node = graph.node(id); !node.dead && node.as<ShapeOp>()) names.push_back(graph.value(node.inputs[0]).name);
  return names;
}

TEST(ShapeOfInputs, AsksTheInputForTheBatchOfAnActivation) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,2,3]
    const %minus: i64[1] = {-1}
    %y = Relu(%x)
    %dims = Shape(%y) {start=0,end=2}
    %to = Concat(%dims, %minus) {axis=0}
    %z = Reshape(%y, %to)
    output %z
  )");
  EXPECT_EQ(run(graph), 1);
  EXPECT_EQ(asked(graph), std::vector<std::string>{"x"});
  EXPECT_EQ(to_string(*graph.value(graph.find("z")).type), "f16[batch,2,3]");
}

TEST(ShapeOfInputs, FindsEachSymbolWhereverAnInputHasIt) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,2]
    input %m: f16[1,tokens]
    const %w: f16[2,3] = {1,0,0,1,0,0}
    const %axis: i64[1] = {1}
    %y = MatMul(%x, %w)
    %rows = ReduceSum(%y, %axis) {keepdims=1}
    %a = Add(%rows, %m)
    %dims = Shape(%a)
    output %dims
    %d = Shape(%a)
    const %minus: i64[1] = {-1}
    %all = Concat(%d, %minus) {axis=0}
    %z = Reshape(%a, %all)
    output %z
  )");
  EXPECT_EQ(run(graph), 1);  // the one that is an output stays
  EXPECT_EQ(asked(graph), (std::vector<std::string>{"a", "x", "m"}));
}

TEST(ShapeOfInputs, LeavesWhatNoInputHas) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,2]
    const %to: i64[1] = {-1}
    %flat = Reshape(%x, %to)
    %y = Relu(%flat)
    %dims = Shape(%y)
    %z = Expand(%y, %dims)
    output %z
  )");
  EXPECT_EQ(run(graph), 0);
  EXPECT_EQ(asked(graph), std::vector<std::string>{"y"});
}

}  // namespace
}  // namespace octet::passes
