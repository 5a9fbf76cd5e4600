// DQ(s) -> layout changes -> Q(s) -> DQ(s): the second pair quantizes values that already lie on its grid. Q(DQ(code)) is the
// code again: DQ's rounding error (2^-12 relative in f16) is far below half a step of E4M3 (2^-5).
#include "ops/quantize.h"
#include "ops/reshape.h"
#include "ops/transpose.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

bool same_scalar(const Graph& graph, ValueId a, ValueId b) {
  const HostTensor *x = graph.constant_of(a), *y = graph.constant_of(b);
  return x && y && x->count() == 1 && y->count() == 1 && x->dtype() == y->dtype() && x->at(0) == y->at(0);
}

const Node* skip_layout(const Graph& graph, ValueId value) {
  const Node* node = graph.producer_of(value);
  while (node && (node->as<Reshape>() || node->as<Transpose>() || node->as<Squeeze>() || node->as<Unsqueeze>() || node->as<Flatten>()))
    node = graph.producer_of(node->inputs[0]);
  return node;
}

}  // namespace

int collapse_qdq(Graph& graph, Notes& notes) {
  int rewrites = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& second = graph.node(id);
    if (second.dead || !second.as<DequantizeLinear>()) continue;
    const Node* q = graph.producer_of(second.inputs[0]);
    if (!q || !q->as<QuantizeLinear>()) continue;
    const Node* first = skip_layout(graph, q->inputs[0]);
    if (!first || !first->as<DequantizeLinear>() || graph.constant_of(first->inputs[0])) continue;
    const auto &codes = graph.value(first->inputs[0]).type, &again = graph.value(second.inputs[0]).type;
    if (!same_scalar(graph, first->inputs[1], q->inputs[1]) || !same_scalar(graph, q->inputs[1], second.inputs[1]) || !codes || !again ||
        codes->dtype != again->dtype) {
      notes.push_back(fmt::format("`{}` quantizes `{}` again with another scale or type", q->name, first->name));
      continue;
    }
    if (graph.is_output(second.outputs[0])) continue;
    graph.replace_uses(second.outputs[0], q->inputs[0]);
    graph.erase(id);
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
