// Gather(LayerNorm(x)) of whole rows becomes LayerNorm(Gather(x)): the norm is row-wise, and one row of T is used.
#include "ops/gather.h"
#include "ops/layer_normalization.h"
#include "ops/shape.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

// Does this node pick whole rows of its first input, [B, T, D] -> [B, D]?
bool picks_rows(const Graph& graph, const Node& node) {
  const auto& type = graph.value(node.inputs[0]).type;
  const auto& out = graph.value(node.outputs[0]).type;
  if (!type || !out || type->shape.size() != 3 || out->shape.size() != 2) return false;
  if (const auto* gather = node.as<Gather>()) return gather->axis == 1 || gather->axis == -2;
  const auto* nd = node.as<GatherND>();
  return nd && nd->batch_dims == 1;
}

}  // namespace

int pool_before_norm(Graph& graph, Notes& notes) {
  int rewrites = 0;
  const auto consumers = ops::data_readers(graph);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& pick = graph.node(id);
    if (pick.dead || !(pick.as<Gather>() || pick.as<GatherND>()) || !picks_rows(graph, pick)) continue;
    const ValueId normed = pick.inputs[0];
    const NodeId norm_id = graph.value(normed).producer;
    if (norm_id == kNone) continue;
    Node& norm = graph.node(norm_id);
    const auto* attributes = norm.as<LayerNormalization>();
    if (!attributes || norm.outputs.size() != 1 || (attributes->axis != -1 && attributes->axis != 2)) continue;
    if (consumers[static_cast<size_t>(normed)].size() != 1 || graph.is_output(normed)) {
      notes.push_back(fmt::format("`{}` is used besides the pooled row: it stays before the pool", norm.name));
      continue;
    }
    // Swap the two operators in place: the norm's node now picks, the pick's node now normalises.
    LayerNormalization row_norm = *attributes;
    row_norm.axis = -1;
    const std::vector<ValueId> parameters(norm.inputs.begin() + 1, norm.inputs.end());
    const Op picker = pick.op;
    const std::vector<ValueId> indices(pick.inputs.begin() + 1, pick.inputs.end());
    std::swap(norm.name, pick.name);
    std::swap(norm.source, pick.source);
    norm.op = picker;
    norm.inputs.resize(1);
    norm.inputs.insert(norm.inputs.end(), indices.begin(), indices.end());
    pick.op = make_op(row_norm);
    pick.inputs = {normed};
    pick.inputs.insert(pick.inputs.end(), parameters.begin(), parameters.end());
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
