#include "placement_advice.h"

#include <algorithm>

#include "base/text.h"
#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/quantize.h"
#include "ops/reshape.h"
#include "ops/transpose.h"
#include "ops/unary.h"

namespace octet {
namespace {

bool is_layout(const Node& node) {
  return node.as<Reshape>() || node.as<Transpose>() || node.as<Squeeze>() || node.as<Unsqueeze>() || node.as<Flatten>() ||
         node.as<Identity>();
}
bool is_product(const Node& node) { return node.as<MatMul>() || node.as<Gemm>() || node.as<Conv>(); }

// The node that computes `value`, layout changes left out; nullptr for a graph input or constant.
const Node* computed_by(const Graph& graph, ValueId value) {
  const Node* node = graph.producer_of(value);
  while (node != nullptr && is_layout(*node)) node = graph.producer_of(node->inputs[0]);
  return node;
}

// The first node behind `value` that needs it as a float, layout changes left out; nullptr where products and other pairs alone read it.
const Node* float_reader(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers, ValueId value) {
  std::vector<ValueId> open{value};
  while (!open.empty()) {
    const ValueId next = open.back();
    open.pop_back();
    for (const NodeId id : consumers[static_cast<size_t>(next)]) {
      const Node& node = graph.node(id);
      if (is_layout(node)) open.push_back(node.outputs[0]);
      else if (!is_product(node) && !node.as<QuantizeLinear>()) return &node;
    }
  }
  return nullptr;
}

}  // namespace

std::vector<PlacementAdvice> placement_advice(const Graph& graph) {
  std::vector<PlacementAdvice> found;
  const auto consumers = graph.consumers();
  for (size_t i = 0; i < graph.node_count(); ++i) {
    const Node& q = graph.node(static_cast<NodeId>(i));
    if (q.dead || !q.as<QuantizeLinear>() || graph.constant_of(q.inputs[0])) continue;
    const Node* product = computed_by(graph, q.inputs[0]);
    if (product == nullptr || !is_product(*product)) continue;
    for (const NodeId dq : consumers[static_cast<size_t>(q.outputs[0])]) {
      if (!graph.node(dq).as<DequantizeLinear>()) continue;
      const Node* reader = float_reader(graph, consumers, graph.node(dq).outputs[0]);
      if (reader == nullptr) continue;
      found.push_back({printable(q.name.empty() ? graph.label(static_cast<NodeId>(i)) : q.name),
                       fmt::format("`{}` ({}) is rounded before `{}` ({}) reads it: that takes a step of its own", printable(product->name),
                                   product->op.name(), printable(reader->name), reader->op.name()),
                       "leave this pair out (onnxruntime: OpTypesToExcludeOutputQuantization), unless the rounding is meant"});
      break;
    }
  }
  return found;
}

}  // namespace octet
