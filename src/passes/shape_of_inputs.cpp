// Shape of an activation becomes shapes of graph inputs and constants. Exporters ask each activation for its batch; once they ask the
// inputs, no activation has a reader that wants nothing of its values, and matchers see the readers that do.
#include "ops/concat.h"
#include "ops/shape.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

struct Axis {
  ValueId input = kNone;
  int64_t axis = 0;
};

// The graph input that has `dim` as it is.
std::optional<Axis> input_axis(const Graph& graph, const Dim& dim) {
  for (const ValueId id : graph.inputs) {
    const Shape& shape = graph.value(id).type->shape;
    for (size_t i = 0; i < shape.size(); ++i)
      if (shape[i] == dim) return Axis{id, static_cast<int64_t>(i)};
  }
  return std::nullopt;
}

// One operand of the Concat that spells the dimensions: a constant for fixed ones, a Shape for each symbol.
std::vector<ValueId> spell(Graph& graph, const Shape& dims) {
  std::vector<ValueId> parts;
  for (size_t begin = 0; begin < dims.size();) {
    if (!dims[begin].is_static()) {
      const auto from = input_axis(graph, dims[begin++]);
      if (!from) return {};
      parts.push_back(graph.add(make_op(ShapeOp{from->axis, from->axis + 1}), {from->input}, "input_dim"));
      continue;
    }
    std::vector<int64_t> fixed;
    while (begin < dims.size() && dims[begin].is_static()) fixed.push_back(dims[begin++].value);
    const auto count = static_cast<int64_t>(fixed.size());
    parts.push_back(graph.add_constant("dims", HostTensor::of<int64_t>(DType::i64, {count}, fixed)));
  }
  return parts;
}

}  // namespace

int shape_of_inputs(Graph& graph, Notes&) {
  std::unordered_map<ValueId, ValueId> replacements;
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id) {
    const Node& node = graph.node(id);
    if (node.dead || !node.as<ShapeOp>() || graph.value(node.inputs[0]).producer == kNone || graph.is_output(node.outputs[0])) continue;
    const auto& dims = graph.value(node.outputs[0]).shape_value;
    if (!dims || dims->empty()) continue;
    const ValueId old = node.outputs[0];
    const std::vector<ValueId> parts = spell(graph, *dims);
    if (parts.empty()) continue;
    replacements.emplace(old, parts.size() == 1 ? parts[0] : graph.add(make_op(Concat{.axis = 0}), parts, graph.value(old).name));
    graph.erase(id);
  }
  graph.replace_uses(replacements);
  return static_cast<int>(replacements.size());
}

}  // namespace octet::passes
