// Removes nodes that change nothing: their output is their first input.
#include "ops/cast.h"
#include "ops/expand.h"
#include "ops/reshape.h"
#include "ops/transpose.h"
#include "ops/unary.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

bool identity_permutation(const Transpose& transpose) {
  for (size_t i = 0; i < transpose.perm.size(); ++i)
    if (transpose.perm[i] != static_cast<int64_t>(i)) return false;
  return !transpose.perm.empty();
}

bool changes_nothing(const Graph& graph, const Node& node) {
  if (node.as<Identity>()) return true;
  if (const auto* transpose = node.as<Transpose>()) return identity_permutation(*transpose);
  if (!node.as<Cast>() && !node.as<Reshape>() && !node.as<Flatten>() && !node.as<Squeeze>() && !node.as<Unsqueeze>() && !node.as<Expand>())
    return false;
  const auto& in = graph.value(node.inputs[0]).type;
  const auto& out = graph.value(node.outputs[0]).type;
  return in && out && *in == *out;
}

}  // namespace

int drop_identities(Graph& graph, Notes&) {
  int rewrites = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    if (node.dead || node.outputs.size() != 1 || !changes_nothing(graph, node)) continue;
    // A graph output keeps its own name and producer: an identity right before it stays.
    if (graph.is_output(node.outputs[0])) continue;
    graph.replace_uses(node.outputs[0], node.inputs[0]);
    graph.erase(id);
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
