// Graph: names, uses, order, dead nodes; and that a hundred thousand nodes are nothing special.
#include "ir/graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "ir/test_ops.h"
#include "ir/text.h"

namespace octet {
namespace {

using toy::Every;
using toy::Plus;

const TensorType kType{DType::f32, {2}};

TEST(Graph, names_are_unique_and_found) {
  Graph graph;
  const ValueId a = graph.add_input("x", kType), b = graph.add_value("x"), c = graph.add_value("x"), d = graph.add_value("");
  EXPECT_EQ(graph.value(a).name, "x");
  EXPECT_EQ(graph.value(b).name, "x.1");
  EXPECT_EQ(graph.value(c).name, "x.2");
  EXPECT_FALSE(graph.value(d).name.empty());
  EXPECT_EQ(graph.find("x.1"), b);
  EXPECT_EQ(graph.find("y"), kNone);
  graph.rename(b, "y");
  EXPECT_EQ(graph.find("y"), b);
  EXPECT_EQ(graph.find("x.1"), kNone);
  graph.rename(c, "y");
  EXPECT_EQ(graph.value(c).name, "y.1");
  graph.rename(c, "y.1");
  EXPECT_EQ(graph.value(c).name, "y.1");
  graph.rename(a, "z");
  EXPECT_EQ(graph.value(graph.add_value("x")).name, "x");
  EXPECT_EQ(graph.inputs, std::vector<ValueId>{a});
}

TEST(Graph, producers_constants_consumers) {
  Graph graph;
  const ValueId x = graph.add_input("x", kType), w = graph.add_constant("w", HostTensor(DType::f32, {2}));
  const ValueId y = graph.add(make_op(Plus{}), {x, w}, "y", "first"), z = graph.add(make_op(Plus{}), {y, y, kNone}, "z");
  graph.mark_output(z);
  EXPECT_EQ(graph.producer_of(x), nullptr);
  EXPECT_EQ(graph.producer_of(w), nullptr);
  EXPECT_EQ(graph.producer_of(kNone), nullptr);
  EXPECT_EQ(graph.producer_of(y), &graph.node(0));
  EXPECT_EQ(graph.constant_of(kNone), nullptr);
  EXPECT_EQ(graph.constant_of(y), nullptr);
  EXPECT_EQ(graph.constant_of(w)->count(), 2);
  const auto users = graph.consumers();
  EXPECT_EQ(users[static_cast<size_t>(y)], (std::vector<NodeId>{1, 1}));
  EXPECT_EQ(users[static_cast<size_t>(x)], (std::vector<NodeId>{0}));
  EXPECT_TRUE(graph.is_output(z) && !graph.is_output(y));
  EXPECT_EQ(graph.label(0), "node 0 `first` (Plus)");
  EXPECT_EQ(graph.label(1), "node 1 (Plus)");
  EXPECT_EQ(graph.node(0).source, std::vector<std::string>{"first"});
  EXPECT_NE(graph.node(0).as<Plus>(), nullptr);
  EXPECT_EQ(graph.node(0).as<Every>(), nullptr);
  graph.erase(0);
  EXPECT_EQ(graph.producer_of(y), nullptr);
  EXPECT_TRUE(graph.consumers()[static_cast<size_t>(x)].empty());
}

TEST(Graph, refuses_unknown_values) {
  Graph graph;
  EXPECT_THROW(graph.add(make_op(Plus{}), {7}), Error);
  EXPECT_THROW(graph.add(make_op(Plus{}), {-2}), Error);
  EXPECT_THROW(graph.add_node(Node{}), Error);
}

TEST(Graph, replacing_uses_follows_chains) {
  Graph graph;
  const ValueId x = graph.add_input("x", kType);
  const ValueId a = graph.add(make_op(Plus{}), {x}, "a"), b = graph.add(make_op(Plus{}), {a}, "b"),
                c = graph.add(make_op(Plus{}), {b, a}, "c");
  graph.mark_output(c), graph.mark_output(b);
  graph.replace_uses({{b, a}, {a, x}});
  EXPECT_EQ(graph.node(2).inputs, (std::vector<ValueId>{x, x}));
  EXPECT_EQ(graph.outputs, (std::vector<ValueId>{c, x}));
  EXPECT_EQ(graph.remove_dead(), 2);
  EXPECT_EQ(graph.remove_dead(), 0);
  graph.replace_uses(x, x);
  EXPECT_THROW(graph.replace_uses({{x, a}, {a, x}}), Error);
}

TEST(Graph, sort_is_stable_and_drops_the_dead) {
  Graph graph;
  const ValueId x = graph.add_input("x", kType), late = graph.add_value("late");
  graph.add(make_op(Plus{}), {late, x}, "p", "needs_late");
  graph.add(make_op(Plus{}), {x}, "q", "free1");
  graph.add(make_op(Plus{}), {x}, "r", "dead");
  Node node;
  node.name = "gives_late", node.op = make_op(Plus{}), node.inputs = {x}, node.outputs = {late, kNone};
  graph.add_node(node);
  graph.add(make_op(Plus{}), {x}, "s", "free2");
  graph.erase(2);
  graph.sort();
  std::vector<std::string> order;
  for (size_t i = 0; i < graph.node_count(); ++i) order.push_back(graph.node(static_cast<NodeId>(i)).name);
  EXPECT_EQ(order, (std::vector<std::string>{"free1", "gives_late", "needs_late", "free2"}));
  EXPECT_EQ(graph.producer_of(late)->name, "gives_late");
  EXPECT_EQ(graph.producer_of(graph.find("s"))->name, "free2");
  EXPECT_EQ(graph.value(graph.find("r")).producer, kNone);
}

std::string sort_error(Graph& graph) {
  try {
    graph.sort();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalid);
    return error.message();
  }
  return "";
}

TEST(Graph, sort_names_a_cycle) {
  Graph graph;
  graph.name = "g";
  const ValueId x = graph.add_input("x", kType), back = graph.add_value("back");
  const ValueId a = graph.add(make_op(Plus{}), {x, back}, "a", "A"), b = graph.add(make_op(Plus{}), {a}, "b", "B");
  Node node;
  node.name = "C", node.op = make_op(Plus{}), node.inputs = {b}, node.outputs = {back};
  graph.add_node(node);
  graph.add(make_op(Plus{}), {back}, "after", "D");  // waits for the cycle, is not in it
  EXPECT_EQ(sort_error(graph), "graph `g` has a cycle: node 0 `A` (Plus) <- node 2 `C` (Plus) <- node 1 `B` (Plus) <- node 0 `A` (Plus)");
  Graph self;
  const ValueId own = self.add_value("own");
  node.inputs = {own}, node.outputs = {own};
  self.add_node(node);
  EXPECT_NE(sort_error(self).find("node 0 `C` (Plus) <- node 0 `C` (Plus)"), std::string::npos);
}

TEST(Graph, sort_refuses_two_producers) {
  for (const int kind : {0, 1, 2}) {
    Graph graph;
    const ValueId x = graph.add_input("x", kType), w = graph.add_constant("w", HostTensor(DType::f32, {2}));
    const ValueId y = graph.add(make_op(Plus{}), {x}, "y");
    Node node;
    node.op = make_op(Plus{}), node.inputs = {x}, node.outputs = {kind == 0 ? y : kind == 1 ? x : w};
    graph.add_node(node);
    EXPECT_NE(sort_error(graph).find("written by"), std::string::npos) << kind;
  }
}

TEST(Op, equality_is_bitwise) {
  const auto same = [](Every a, Every b) { return same_op(make_op(std::move(a)), make_op(std::move(b)), 20); };
  EXPECT_TRUE(same({}, {}));
  EXPECT_FALSE(same({.axis = 1}, {}));
  EXPECT_FALSE(same({.epsilon = 0.0f}, {.epsilon = -0.0f}));
  EXPECT_FALSE(same({.axes = {0}, .pads = {}}, {.axes = {}, .pads = {0}}));
  EXPECT_FALSE(same({.value = HostTensor(DType::f32, {2})}, {.value = HostTensor(DType::f32, {1, 2})}));
  EXPECT_TRUE(same({.value = HostTensor(DType::f32, {2})}, {.value = HostTensor(DType::f32, {2})}));
  EXPECT_FALSE(same_op(make_op(Plus{}), make_op(Every{}), 20));
}

// A chain appended backwards, so that every order is the worst: linear time and no recursion, or this does not end.
TEST(Graph, a_hundred_thousand_nodes_in_a_second) {
  constexpr int kNodes = 100000;
  const std::clock_t start = std::clock();
  Graph graph;
  std::vector<ValueId> values{graph.add_input("x", kType)};
  for (int i = 0; i < kNodes; ++i) values.push_back(graph.add_value("t"));
  for (int i = kNodes; i > 0; --i) {
    Node node;
    node.op = make_op(Plus{}), node.inputs = {values[i - 1], values[0]}, node.outputs = {values[i]};
    graph.add_node(std::move(node));
  }
  graph.mark_output(values.back());
  graph.sort();
  EXPECT_EQ(graph.node(0).outputs[0], values[1]);
  EXPECT_TRUE(infer_types(graph).empty());
  EXPECT_EQ(graph.remove_dead(), 0);
  const Graph back = parse_graph(print(graph), toy::find);
  EXPECT_EQ(back.node_count(), graph.node_count());
  std::unordered_map<ValueId, ValueId> skip;
  for (int i = 2; i < kNodes; ++i) skip[values[i]] = values[i - 1];
  graph.replace_uses(skip);
  EXPECT_EQ(graph.remove_dead(), kNodes - 2);
  EXPECT_EQ(graph.consumers()[static_cast<size_t>(values[1])].size(), 1u);
  graph.sort();
  EXPECT_EQ(graph.node_count(), 2u);
#ifdef __SANITIZE_ADDRESS__
  constexpr double kSeconds = 10;
#else
  constexpr double kSeconds = 1;
#endif
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, kSeconds);  // of this process, however busy the machine
}

}  // namespace
}  // namespace octet
