// Evaluates what is known at compile time. A DequantizeLinear of a weight is kept: folding it would undo the quantization.
#include "interp/fold.h"
#include "ops/quantize.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

void make_constant(Graph& graph, ValueId id, HostTensor tensor) {
  Value& value = graph.value(id);
  value.constant = std::move(tensor);
  value.producer = kNone;
}

bool fold_values(Graph& graph, Node& node) {
  auto outputs = evaluate_constant(graph, node);
  if (!outputs) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i] != kNone) make_constant(graph, node.outputs[i], std::move((*outputs)[i]));
  return true;
}

// An integer value whose elements are all known numbers, though its inputs are not constants (Shape, then Gather).
bool fold_shape(Graph& graph, Node& node) {
  if (node.outputs.size() != 1) return false;
  const Value& value = graph.value(node.outputs[0]);
  if (!value.shape_value || !all_static(*value.shape_value) || !value.type || !all_static(value.type->shape)) return false;
  HostTensor tensor(value.type->dtype, static_dims(value.type->shape));
  if (tensor.count() != static_cast<int64_t>(value.shape_value->size())) return false;
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.set_int(i, (*value.shape_value)[static_cast<size_t>(i)].value);
  make_constant(graph, node.outputs[0], std::move(tensor));
  return true;
}

}  // namespace

int evaluate_constants(Graph& graph) {
  int rewrites = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    if (node.dead || node.as<DequantizeLinear>() || !fold_values(graph, node)) continue;
    graph.erase(id);
    ++rewrites;
  }
  return rewrites;
}

int fold_constants(Graph& graph, Notes&) {
  int rewrites = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    if (node.dead || node.as<DequantizeLinear>()) continue;
    if (!fold_values(graph, node) && !fold_shape(graph, node)) continue;
    graph.erase(id);
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
