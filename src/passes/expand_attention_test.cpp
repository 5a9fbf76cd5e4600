// expand-attention: the same numbers in products and a softmax, and what stays an Attention.
#include <gtest/gtest.h>

#include "interp/interp.h"
#include "ops/attention.h"
#include "passes/testing.h"

namespace octet::passes {
namespace {

Graph graph_of(const std::string& body) { return testing::graph_of(body, 23); }
int run(Graph& graph, Notes* notes = nullptr) { return testing::run(expand_attention, graph, notes); }

int attentions(const Graph& graph) {
  int n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) n += !graph.node(id).dead && graph.node(id).as<Attention>();
  return n;
}

// One input x, from which q, k and v are made; `attributes` and `mask` (a definition of %mask, or nothing) as given.
std::string flat(const std::string& attributes, const std::string& mask = "") {
  return R"(
    input %x: f32[batch,3,8]
    const %two: f32[] = {2}
    const %three: f32[] = {-3}
    %k = Mul(%x, %two)
    %v = Add(%x, %three)
    )" + mask +
         " %a = Attention(%x, %k, %v" + (mask.empty() ? "" : ", %mask") + ") {q_num_heads=2, kv_num_heads=2" + attributes +
         "} \"attention\"\n" + " %y = Neg(%a) output %y";
}

void expect_same(const std::string& body) {
  Graph graph = graph_of(body);
  const Graph before = graph_of(body);
  EXPECT_EQ(run(graph), 1);
  EXPECT_EQ(attentions(graph), 0);
  HostTensor x(DType::f32, {2, 3, 8});
  for (int64_t i = 0; i < x.count(); ++i) x.set(i, 0.21 * static_cast<double>((i * 7) % 11) - 1);
  const HostTensor one[] = {x};
  const auto a = to_f32(interpret(before, one)[0]), b = to_f32(interpret(graph, one)[0]);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 2e-6) << i;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id)
    if (graph.node(id).name.starts_with("attention")) {
      EXPECT_EQ(graph.node(id).source, std::vector<std::string>{"attention"});
    }
}

TEST(ExpandAttention, KeepsTheNumbers) {
  expect_same(flat(""));
  expect_same(flat(", scale=0.3"));
  expect_same(flat(", is_causal=1"));
  expect_same(flat("", "const %mask: bool[3,3] = {1,1,0,1,0,1,0,1,1}"));
  expect_same(flat(", is_causal=1", "const %mask: f32[1,1,3] = {0,-0.5,1.25}"));
  expect_same(flat("", "const %mask: bool[3,3] = {1,1,0,0,0,0,0,1,1}"));  // a row hidden whole
}

TEST(ExpandAttention, HeadsThatAreSplitAlready) {
  expect_same(R"(
    input %x: f32[batch,3,8]
    const %split: i64[4] = {0,0,2,4}
    %r = Reshape(%x, %split)
    %h = Transpose(%r) {perm=[0,2,1,3]}
    %a = Attention(%h, %h, %h) "attention"
    %y = Neg(%a)
    output %y
  )");
}

TEST(ExpandAttention, LeavesWhatTheStepsDoNotDo) {
  for (const char* attributes : {", softcap=30", ", softcap=30, is_causal=1"}) {
    Graph graph = graph_of(flat(attributes));
    Notes notes;
    EXPECT_EQ(run(graph, &notes), 0);
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_NE(notes[0].find("capped"), std::string::npos);
  }
  Graph large = graph_of("input %q: f32[batch,1,100000,8] %a = Attention(%q, %q, %q) {is_causal=1} %y = Neg(%a) output %y");
  EXPECT_EQ(run(large), 0);
  Graph grouped = graph_of("input %q: f32[batch,4,3,8] input %k: f32[batch,2,3,8] %a = Attention(%q, %k, %k) %y = Neg(%a) output %y");
  EXPECT_EQ(run(grouped), 0);
  Graph shorter =
      graph_of("input %q: f32[batch,4,3,8] const %m: f32[3,2] = {0,0,0,0,0,0} %a = Attention(%q, %q, %q, %m) %y = Neg(%a) output %y");
  EXPECT_EQ(run(shorter), 0);
}

}  // namespace
}  // namespace octet::passes
