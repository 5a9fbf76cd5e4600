// fix_types on small graphs: what becomes f16, what is left alone.
#include "passes/fix_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ir/text.h"
#include "ops/cast.h"
#include "ops/list.h"

namespace octet::passes {
namespace {

using testing::Contains;
using testing::HasSubstr;

Graph graph_of(const std::string& body, int opset = 20) {
  return parse_graph(fmt::format("graph test opset {}\n{}", opset, body), find_op);
}

std::string type(const Graph& graph, const std::string& name) { return to_string(*graph.value(graph.find(name)).type); }

int casts(const Graph& graph) {
  int n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) n += graph.node(id).as<Cast>() != nullptr;
  return n;
}

// The softmax of ModelOpt's attention: f32 between a Cast and a Q with an f16 scale.
constexpr const char* kIsland = R"(
  input %x: f16[batch,4]
  const %two: f32[] = {2}
  const %mask: f16[4] = {0,0,0,0}
  const %s: f16[] = {0.5}
  const %zero: e4m3[] = {0x00}
  %wide = Cast(%x) {to=f32}
  %scaled = Mul(%wide, %two)
  %masked = Add(%scaled, %mask)
  %p = Softmax(%masked) {axis=-1}
  %q = QuantizeLinear(%p, %s, %zero)
  %y = DequantizeLinear(%q, %s, %zero)
  output %y
)";

TEST(FixTypes, MakesAnIslandThatMeetsAnF16ScaleF16) {
  Graph graph = graph_of(kIsland);
  EXPECT_EQ(infer_types(graph).size(), 2u);  // the mask's Add and the Q
  const TypeRepair repair = fix_types(graph);
  EXPECT_TRUE(repair.violations.empty());
  EXPECT_EQ(casts(graph), 0);
  EXPECT_EQ(type(graph, "p"), "f16[batch,4]");
  EXPECT_EQ(graph.constant_of(graph.find("two"))->dtype(), DType::f16);
  EXPECT_THAT(repair.changes, Contains(HasSubstr("constant `two`: f32 -> f16")));
  EXPECT_THAT(repair.changes, Contains(HasSubstr("to f32 -> to f16")));
}

TEST(FixTypes, LeavesAgreeingIslandsAloneAndSaysSo) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,4]
    const %two: f32[] = {2}
    %wide = Cast(%x) {to=f32}
    %scaled = Mul(%wide, %two)
    %y = Cast(%scaled) {to=f16}
    output %y
  )");
  const TypeRepair repair = fix_types(graph);
  EXPECT_TRUE(repair.changes.empty());
  EXPECT_EQ(casts(graph), 2);
  ASSERT_EQ(repair.notes.size(), 1u);
  EXPECT_THAT(repair.notes[0], HasSubstr("1 Cast into f32 left alone"));
}

TEST(FixTypes, AConstantSharedWithAnotherIslandIsCopied) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,4]
    const %two: f32[] = {2}
    %half = Mul(%x, %two)
    %wide = Cast(%x) {to=f32}
    %meant = Mul(%wide, %two)
    output %half
    output %meant
  )");
  EXPECT_TRUE(fix_types(graph).violations.empty());
  EXPECT_EQ(graph.constant_of(graph.find("two"))->dtype(), DType::f32);
  EXPECT_EQ(type(graph, "half"), "f16[batch,4]");
  EXPECT_EQ(type(graph, "meant"), "f32[batch,4]");
}

TEST(FixTypes, AStrayF16ConstantInAnF32ModelIsStoredAsF32) {
  Graph graph = graph_of(R"(
    input %x: f32[batch,4]
    const %bias: f16[4] = {1,2,3,4}
    %y = Add(%x, %bias)
    output %y
  )");
  EXPECT_TRUE(fix_types(graph).violations.empty());
  EXPECT_EQ(graph.constant_of(graph.find("bias"))->dtype(), DType::f32);
  EXPECT_EQ(type(graph, "y"), "f32[batch,4]");
}

TEST(FixTypes, InputsAndOutputsKeepTheirTypes) {
  Graph graph = graph_of(R"(
    input %x: f16[batch,4]
    input %mask: f32[batch,4]
    const %low: f32[] = {-1e30}
    %big = Mul(%mask, %low)
    %y = Add(%x, %big)
    %z = Neg(%big)
    output %y
    output %z
  )");
  EXPECT_TRUE(fix_types(graph).violations.empty());
  EXPECT_EQ(type(graph, "mask"), "f32[batch,4]");
  EXPECT_EQ(type(graph, "z"), "f32[batch,4]");
  EXPECT_EQ(type(graph, "y"), "f16[batch,4]");
  EXPECT_EQ(graph.constant_of(graph.find("low"))->at(0), -65504.0);
}

TEST(FixTypes, AddsTheZeroPointsThatOtherReadersNeedAndRefusesOpsetsWithoutF8) {
  const std::string body = R"(
    input %x: f16[batch,4]
    const %s: f16[] = {0.5}
    %q = QuantizeLinear(%x, %s) {output_dtype=17}
    %y = DequantizeLinear(%q, %s)
    output %y
  )";
  Graph graph = graph_of(body);
  EXPECT_EQ(fix_types(graph).changes.size(), 2u);
  EXPECT_EQ(graph.node(0).inputs.size(), 3u);
  EXPECT_EQ(type(graph, "q"), "e4m3[batch,4]");
  Graph old = graph_of(body, 17);
  EXPECT_THROW(fix_types(old), Error);
}

}  // namespace
}  // namespace octet::passes
