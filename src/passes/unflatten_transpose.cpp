// Reshape, Transpose, Reshape that flatten leading axes for the time of a transpose ([B, H, T, d] as [B * H, T, d]) become one
// Transpose of all axes.
#include "ops/reshape.h"
#include "ops/shape.h"
#include "ops/transpose.h"
#include "passes/pattern.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

// The permutation of x's axes that the three nodes are; empty if they are none. x: [lead..., tail...], flat: [any, tail...].
std::vector<int64_t> whole_permutation(const Shape& x, const Shape& flat, const std::vector<int64_t>& perm, const Shape& out) {
  if (flat.empty() || x.size() < flat.size() || x.size() != out.size() || perm.size() != flat.size() || perm[0] != 0) return {};
  const size_t lead = x.size() - flat.size() + 1;
  std::vector<int64_t> whole;
  for (size_t i = 0; i < lead; ++i) whole.push_back(static_cast<int64_t>(i));
  for (size_t i = 1; i < perm.size(); ++i) whole.push_back(perm[i] + static_cast<int64_t>(lead) - 1);
  for (size_t i = 1; i < flat.size(); ++i)
    if (flat[i] != x[lead + i - 1]) return {};
  for (size_t i = 0; i < out.size(); ++i)
    if (out[i] != x[static_cast<size_t>(whole[i])]) return {};
  return whole;
}

}  // namespace

int unflatten_transpose(Graph& graph, Notes&) {
  int rewrites = 0;
  const auto consumers = ops::data_readers(graph);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    const Node& transpose = graph.node(id);
    if (transpose.dead || !transpose.as<Transpose>()) continue;
    const Node* flatten = graph.producer_of(transpose.inputs[0]);
    NodeId last = kNone;
    const Node* restore = only_reader(graph, consumers, transpose.outputs[0], &last);
    if (!flatten || !restore || !flatten->as<Reshape>() || !restore->as<Reshape>()) continue;
    const ValueId x = flatten->inputs[0];
    const auto perm = whole_permutation(graph.value(x).type->shape, graph.value(transpose.inputs[0]).type->shape,
                                        transpose.as<Transpose>()->perm, graph.value(restore->outputs[0]).type->shape);
    if (perm.empty()) continue;
    take_sources(graph, restore->outputs[0], x, graph.node(last));
    graph.node(last).op = make_op(Transpose{perm});
    graph.node(last).inputs = {x};
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
