// A quantized weight reaches its user through DQ -> layout change (ModelOpt leaves Transpose and Cast there), a quantized table
// through DQ -> Gather. The layout change moves in front of the DQ, onto the codes, where fold-constants evaluates it: the bytes
// are then those of a file whose weights were folded before. No step gathers codes, so a table becomes floats here.
#include "ops/cast.h"
#include "ops/gather.h"
#include "ops/quantize.h"
#include "ops/reshape.h"
#include "ops/transpose.h"
#include "ops/unary.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

using Consumers = std::vector<std::vector<NodeId>>;

bool is_weight(const Graph& graph, const Node& dq) {
  return dq.as<DequantizeLinear>() && graph.constant_of(dq.inputs[0]) && graph.constant_of(dq.inputs[1]);
}

bool changes_no_type(const Graph& graph, const Node& node) {
  const auto &in = graph.value(node.inputs[0]).type, &out = graph.value(node.outputs[0]).type;
  return node.as<Cast>() && in && out && in->dtype == out->dtype;
}

// The axis along which the scale lies once `perm` (empty: reversed) has been applied; nullopt for blocks.
std::optional<int64_t> permuted_axis(const Graph& graph, const Node& dq, std::vector<int64_t> perm) {
  const auto* op = dq.as<DequantizeLinear>();
  if (graph.constant_of(dq.inputs[1])->count() == 1) return op->axis;
  const int64_t rank = graph.constant_of(dq.inputs[0])->rank();
  if (op->block_size != 0 || rank == 0) return std::nullopt;
  if (perm.empty())
    for (int64_t i = rank; i-- > 0;) perm.push_back(i);
  const int64_t axis = op->axis < 0 ? op->axis + rank : op->axis;
  for (size_t i = 0; i < perm.size(); ++i)
    if (perm[i] == axis) return static_cast<int64_t>(i);
  return std::nullopt;
}

// The DQ's attributes behind `node`; nullopt if it may not move there.
std::optional<DequantizeLinear> moved(const Graph& graph, const Node& dq, const Node& node) {
  DequantizeLinear op = *dq.as<DequantizeLinear>();
  if (node.as<Identity>()) return op;
  const bool per_tensor = graph.constant_of(dq.inputs[1])->count() == 1;
  if (node.as<Reshape>() || node.as<Squeeze>() || node.as<Unsqueeze>() || node.as<Flatten>())
    return per_tensor ? std::optional(op) : std::nullopt;
  const auto* transpose = node.as<Transpose>();
  const auto axis = transpose ? permuted_axis(graph, dq, transpose->perm) : std::nullopt;
  if (!axis) return std::nullopt;
  op.axis = *axis;
  return op;
}

// `at` reads a weight's DQ: its layout change is applied to the codes, and `at` becomes the DQ.
bool swap(Graph& graph, NodeId at) {
  const Node* dq = graph.producer_of(graph.node(at).inputs[0]);
  while (dq && changes_no_type(graph, *dq)) dq = graph.producer_of(dq->inputs[0]);
  if (!dq || !is_weight(graph, *dq)) return false;
  const auto op = moved(graph, *dq, graph.node(at));
  if (!op) return false;
  const Node before = *dq;  // adding a node may move the others
  Node layout = graph.node(at);
  layout.inputs[0] = before.inputs[0];
  const ValueId codes = graph.add(layout.op, layout.inputs, graph.value(before.inputs[0]).name + ".moved", layout.name);
  Node& node = graph.node(at);
  node.op = make_op(*op);
  node.inputs = before.inputs;
  node.inputs[0] = codes;
  node.name = before.name;
  node.source.insert(node.source.begin(), before.source.begin(), before.source.end());
  return true;
}

// A DQ of a constant that only Gathers read, as their table, is evaluated.
bool fold_table(Graph& graph, NodeId at, const Consumers& consumers, Notes& notes) {
  const Node& dq = graph.node(at);
  if (!is_weight(graph, dq) || graph.is_output(dq.outputs[0])) return false;
  const auto& readers = consumers[static_cast<size_t>(dq.outputs[0])];
  if (readers.empty()) return false;
  for (const NodeId id : readers)
    if (!graph.node(id).as<Gather>() || graph.node(id).inputs[0] != dq.outputs[0]) return false;
  std::vector<const HostTensor*> in;
  for (const ValueId id : dq.inputs) in.push_back(graph.constant_of(id));
  if (dq.inputs.size() > 2 && dq.inputs[2] != kNone && !in[2]) return false;
  auto table = dq.op.def().reference(dq.op.attributes(), in, graph.opset);
  notes.push_back(fmt::format("`{}`: a table of codes, kept as {}", graph.value(dq.inputs[0]).name, table[0].dtype()));
  Value& value = graph.value(dq.outputs[0]);
  value.constant = std::move(table[0]);
  value.producer = kNone;
  graph.erase(at);
  return true;
}

}  // namespace

int sink_dequantize(Graph& graph, Notes& notes) {
  int rewrites = 0;
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id)
    if (const Node& node = graph.node(id); !node.dead && !node.inputs.empty() && node.inputs[0] != kNone) rewrites += swap(graph, id);
  graph.remove_dead();
  const Consumers consumers = graph.consumers();
  for (NodeId id = 0; id < count; ++id)
    if (!graph.node(id).dead) rewrites += fold_table(graph, id, consumers, notes);
  return rewrites;
}

}  // namespace octet::passes
