// place-qdq and what it does together with the passes around it: every legal place of a Q/DQ pair among layout changes ends alike.
#include <gtest/gtest.h>

#include "ops/quantize.h"
#include "passes/testing.h"

namespace octet::passes {
namespace {

Graph graph_of(const std::string& body) { return testing::graph_of(body, 21); }

// What each node reads and is, in order.
std::string shape_of(const Graph& graph) {
  std::string text;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id)
    if (const Node& node = graph.node(id); !node.dead) text += std::string(node.op.name()) + " ";
  return text;
}

std::string run(const std::string& body, int expected) {
  Graph graph = graph_of(body);
  EXPECT_EQ(testing::run(place_qdq, graph), expected);
  return shape_of(graph);
}

const std::string kHead = R"(
  input %x: f16[batch,3,8]
  const %s: f16[] = {0.5}
  const %z: e4m3[] = {0x00}
  const %split: i64[4] = {0,0,2,4}
  %n = Relu(%x)
)";
const std::string kPlaced = "Relu QuantizeLinear DequantizeLinear Reshape Transpose Neg ";

TEST(PlaceQdq, BehindBesideAndBetweenLayoutChanges) {
  const std::string behind =
      "%r = Reshape(%n, %split) %t = Transpose(%r) {perm=[0,2,1,3]} %q = QuantizeLinear(%t, %s, %z) %d = DequantizeLinear(%q, %s, %z)";
  const std::string between =
      "%r = Reshape(%n, %split) %q = QuantizeLinear(%r, %s, %z) %d0 = DequantizeLinear(%q, %s, %z) %d = Transpose(%d0) {perm=[0,2,1,3]}";
  const std::string on_codes =
      "%q = QuantizeLinear(%n, %s, %z) %r = Reshape(%q, %split) %t = Transpose(%r) {perm=[0,2,1,3]} %d = DequantizeLinear(%t, %s, %z)";
  const std::string astride =
      "%r = Reshape(%n, %split) %q = QuantizeLinear(%r, %s, %z) %t = Transpose(%q) {perm=[0,2,1,3]} %d = DequantizeLinear(%t, %s, %z)";
  for (const auto& way : {behind, between, on_codes, astride}) EXPECT_EQ(run(kHead + way + " %y = Neg(%d) output %y", 1), kPlaced) << way;
  const std::string before =
      "%q = QuantizeLinear(%n, %s, %z) %d0 = DequantizeLinear(%q, %s, %z) %r = Reshape(%d0, %split) %d = Transpose(%r) {perm=[0,2,1,3]}";
  EXPECT_EQ(run(kHead + before + " %y = Neg(%d) output %y", 0), kPlaced);
}

TEST(PlaceQdq, OtherReadersOfTheLayoutChangeKeepIt) {
  const std::string text = run(kHead + R"(
    %r = Reshape(%n, %split)
    %q = QuantizeLinear(%r, %s, %z)
    %d = DequantizeLinear(%q, %s, %z)
    %y = Neg(%d)
    %w = Abs(%r)
    output %y
    output %w
  )",
                               1);
  EXPECT_EQ(text, "Relu Reshape Abs QuantizeLinear DequantizeLinear Reshape Neg ");
}

TEST(PlaceQdq, LeavesScalesByChannelAndOutputs) {
  const std::string by_channel = R"(
    const %w: f16[2,2] = {1,2,3,4}
    const %s: f16[2] = {0.5,0.25}
    const %z: e4m3[2] = {0x00,0x00}
    input %x: f16[batch,2]
    %q = QuantizeLinear(%w, %s, %z) {axis=0}
    %t = Transpose(%q)
    %d = DequantizeLinear(%t, %s, %z) {axis=1}
    %y = MatMul(%x, %d)
    output %y
  )";
  run(by_channel, 0);
  run(kHead + "%r = Reshape(%n, %split) %q = QuantizeLinear(%r, %s, %z) %y = DequantizeLinear(%q, %s, %z) output %y", 0);
}

// The whole pipeline on one weight, spelt in several ways: always the same codes behind one DQ.
TEST(PlaceQdq, WeightsAreFoldedWhereverTheirQuantizersStand) {
  const std::string head = R"(
    input %x: f16[batch,2]
    const %w: f16[2,3] = {1,2,3,4,5,6}
    const %wt: f16[3,2] = {1,4,2,5,3,6}
  )";
  const std::string one = "const %s: f16[] = {0.1} const %z: e4m3[] = {0x00} ",
                    three = "const %s: f16[3] = {0.1,0.2,0.3} const %z: e4m3[3] = {0x00,0x00,0x00} ";
  const auto codes_of = [&](const std::string& body) {
    Graph graph = graph_of(head + body + " output %y");
    run_pipeline(graph);
    std::string text = shape_of(graph) + ": ";
    for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id)
      if (const Node& node = graph.node(id); !node.dead && node.as<DequantizeLinear>()) {
        const HostTensor* codes = graph.constant_of(node.inputs[0]);
        for (int64_t i = 0; codes && i < codes->count(); ++i) text += fmt::format("{} ", codes->at(i));
      }
    return text;
  };
  for (const auto& [scales, axis, turned_axis] : {std::tuple{one, 1, 0}, {three, 1, 0}}) {
    const auto plain = codes_of(
        scales +
        fmt::format("%q = QuantizeLinear(%w, %s, %z) {{axis={0}}} %d = DequantizeLinear(%q, %s, %z) {{axis={0}}} %y = MatMul(%x, %d)",
                    axis));
    EXPECT_TRUE(plain.starts_with("DequantizeLinear MatMul : ")) << plain;
    EXPECT_EQ(codes_of(scales + fmt::format("%q = QuantizeLinear(%wt, %s, %z) {{axis={0}}} %d = DequantizeLinear(%q, %s, %z) {{axis={0}}} "
                                            "%t = Transpose(%d) %y = MatMul(%x, %t)",
                                            turned_axis)),
              plain);
    EXPECT_EQ(codes_of(scales + fmt::format("%q = QuantizeLinear(%wt, %s, %z) {{axis={0}}} %t = Transpose(%q) %d = DequantizeLinear(%t, "
                                            "%s, %z) {{axis={1}}} %y = MatMul(%x, %d)",
                                            turned_axis, axis)),
              plain);
    if (scales == one) {
      EXPECT_EQ(codes_of(scales + fmt::format("%t = Transpose(%wt) %q = QuantizeLinear(%t, %s, %z) {{axis={0}}} %d = DequantizeLinear(%q, "
                                              "%s, %z) {{axis={0}}} %y = MatMul(%x, %d)",
                                              axis)),
                plain);
    }
    EXPECT_EQ(codes_of(scales + fmt::format("%q = QuantizeLinear(%wt, %s, %z) {{axis={0}}} %d = DequantizeLinear(%q, %s, %z) {{axis={0}}} "
                                            "%y = Gemm(%x, %d) {{transB=1}}",
                                            turned_axis)),
              plain);
  }
}

}  // namespace
}  // namespace octet::passes
