// Expand repeats what a broadcasting operator would repeat by itself. It goes where the operator's other operands are as large; in
// front of one they are not, it moves behind, so that what a batch repeats (a mask built from constants) can be folded once.
#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/compare.h"
#include "ops/dims.h"
#include "ops/expand.h"
#include "ops/unary.h"
#include "ops/where.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

bool broadcasts(const Node& node) {
  return node.as<Add>() || node.as<Sub>() || node.as<Mul>() || node.as<Div>() || node.as<Where>() || node.as<And>() || node.as<Or>() ||
         node.as<Not>() || node.as<Cast>() || node.as<Equal>() || node.as<Less>() || node.as<LessOrEqual>() || node.as<Greater>() ||
         node.as<GreaterOrEqual>();
}

// The shape of the node's result without the Expands before it; nullopt if it has none, or a symbol hides it.
std::optional<Shape> small_shape(const Graph& graph, const Node& node) {
  Shape shape;
  bool any = false;
  for (const ValueId in : node.inputs) {
    const Node* expand = graph.producer_of(in);
    const bool through = expand && expand->as<Expand>();
    any |= through;
    const auto& type = graph.value(through ? expand->inputs[0] : in).type;
    const auto wider = type ? ops::broadcast(shape, type->shape) : std::nullopt;
    if (!wider) return std::nullopt;
    shape = *wider;
  }
  return any ? std::optional(shape) : std::nullopt;
}

// The shape operand of the Expand before `node` that makes the small result as large as it was; kNone if no single one does.
ValueId restoring_shape(const Graph& graph, const Node& node, const Shape& small) {
  const Shape& wanted = graph.value(node.outputs[0]).type->shape;
  for (const ValueId in : node.inputs) {
    const Node* expand = graph.producer_of(in);
    if (!expand || !expand->as<Expand>()) continue;
    const auto wide = ops::broadcast(small, graph.value(in).type->shape);
    if (wide && *wide == wanted) return expand->inputs[1];
  }
  return kNone;
}

}  // namespace

int sink_expand(Graph& graph, Notes&) {
  int rewrites = 0;
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id) {
    if (graph.node(id).dead || !broadcasts(graph.node(id))) continue;
    const ValueId out = graph.node(id).outputs[0];
    const auto small = small_shape(graph, graph.node(id));
    if (!small) continue;
    const TensorType type = *graph.value(out).type;
    const bool dropped = type.shape == *small;
    const ValueId shape = dropped ? kNone : restoring_shape(graph, graph.node(id), *small);
    if (!dropped && (shape == kNone || graph.is_output(out))) continue;
    for (ValueId& in : graph.node(id).inputs)
      if (const Node* expand = graph.producer_of(in); expand && expand->as<Expand>()) in = expand->inputs[0];
    ++rewrites;
    if (dropped) continue;
    // Moved behind: its readers, later in the order, find it there.
    const ValueId wide = graph.add_value(graph.value(out).name + ".wide");
    graph.replace_uses(out, wide);
    graph.value(wide).type = type;
    graph.value(out).type = TensorType{type.dtype, *small};
    graph.add_node({graph.node(id).name + "/Expand", make_op(Expand{}), {out, shape}, {wide}, {}});
  }
  return rewrites;
}

}  // namespace octet::passes
