// Rounding commutes with layout changes: Q(L(x)) = L(Q(x)), and so does DQ, where one scale serves the whole tensor. Writers put Q and
// DQ before, between and behind Reshapes and Transposes; here each pair comes to stand right behind the node that computes what it
// rounds, so that equal pairs meet and steps find them.
#include "ops/quantize.h"
#include "ops/reshape.h"
#include "ops/transpose.h"
#include "ops/unary.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

bool is_layout(const Node* node) {
  return node && (node->as<Reshape>() || node->as<Transpose>() || node->as<Squeeze>() || node->as<Unsqueeze>() || node->as<Flatten>() ||
                  node->as<Identity>());
}

bool per_tensor(const Graph& graph, const Node& node) {
  const HostTensor* scale = graph.constant_of(node.inputs[1]);
  const bool plain_zero = node.inputs.size() < 3 || node.inputs[2] == kNone || graph.constant_of(node.inputs[2]);
  return scale && scale->count() == 1 && plain_zero;
}

// A DQ, its Q, the layout changes before and between them (the last first), and what all of them start from. Copies: adding nodes may
// move the others.
struct Pair {
  Node dq;
  std::optional<Node> q = {};
  std::vector<Node> layouts = {};
  ValueId x = kNone;
};

std::optional<Pair> pair_of(const Graph& graph, const Node& dq) {
  if (dq.dead || !dq.as<DequantizeLinear>() || !per_tensor(graph, dq) || graph.is_output(dq.outputs[0])) return std::nullopt;
  Pair pair{dq};
  for (pair.x = dq.inputs[0];;) {
    const Node* node = graph.producer_of(pair.x);
    if (is_layout(node)) pair.layouts.push_back(*node);
    else if (node && node->as<QuantizeLinear>() && !pair.q && per_tensor(graph, *node)) pair.q = *node;
    else break;
    pair.x = node->inputs[0];
  }
  if (!pair.q || pair.layouts.empty() || graph.constant_of(pair.x)) return std::nullopt;
  return pair;
}

// A copy of `node` that reads `in`.
ValueId again(Graph& graph, const Node& node, ValueId in) {
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = in;
  const ValueId out = graph.add(node.op, std::move(inputs), graph.value(node.outputs[0]).name, node.name);
  graph.node(graph.value(out).producer).source = node.source;
  return out;
}

// The pair in front of its layout changes; what they give.
ValueId moved(Graph& graph, const Pair& pair) {
  ValueId value = again(graph, pair.dq, again(graph, *pair.q, pair.x));
  for (auto layout = pair.layouts.rbegin(); layout != pair.layouts.rend(); ++layout) value = again(graph, *layout, value);
  return value;
}

}  // namespace

int place_qdq(Graph& graph, Notes&) {
  std::unordered_map<ValueId, ValueId> replacements;
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id)
    if (const auto pair = pair_of(graph, graph.node(id))) {
      replacements.emplace(graph.node(id).outputs[0], moved(graph, *pair));
      graph.erase(id);
    }
  graph.replace_uses(replacements);
  return static_cast<int>(replacements.size());
}

}  // namespace octet::passes
