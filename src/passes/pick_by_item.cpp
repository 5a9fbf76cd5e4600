// TorchScript picks one row of each item as row item * T + r of the items flattened to [T * batch, D]. That becomes a GatherND over
// [batch, T, D], the form that the passes and matchers behind know.
#include "ops/arithmetic.h"
#include "ops/constant.h"
#include "ops/gather.h"
#include "ops/reshape.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

bool is_scalar(const HostTensor* constant, int64_t value) { return constant && constant->count() == 1 && constant->at_int(0) == value; }

// Whether `value` is item * tokens for every item of the batch: Mul(Range(0, batch, 1), tokens).
bool is_item_offset(const Graph& graph, ValueId value, const Shape& data) {
  const Node* product = graph.producer_of(value);
  if (!product || !product->as<Mul>()) return false;
  for (size_t side = 0; side < 2; ++side) {
    const Node* range = graph.producer_of(product->inputs[side]);
    if (!range || !range->as<RangeOp>() || graph.value(range->outputs[0]).type->shape != Shape{data[0]}) continue;
    if (is_scalar(graph.constant_of(range->inputs[0]), 0) && is_scalar(graph.constant_of(range->inputs[2]), 1) && data[1].is_static())
      return is_scalar(graph.constant_of(product->inputs[1 - side]), data[1].value);
  }
  return false;
}

// The r of item * T + r, an i64 [batch]; kNone if `rows` is no such sum.
ValueId row_of_item(const Graph& graph, ValueId rows, const Shape& data) {
  const Node* sum = graph.producer_of(rows);
  if (!sum || !sum->as<Add>()) return kNone;
  for (size_t side = 0; side < 2; ++side) {
    const ValueId row = sum->inputs[1 - side];
    if (is_item_offset(graph, sum->inputs[side], data) && graph.value(row).type == TensorType{DType::i64, {data[0]}}) return row;
  }
  return kNone;
}

}  // namespace

int pick_by_item(Graph& graph, Notes&) {
  int rewrites = 0;
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id) {
    const Node& node = graph.node(id);
    if (node.dead || !node.as<Gather>() || node.as<Gather>()->axis != 0 || graph.opset < 13) continue;
    const Node* flatten = graph.producer_of(node.inputs[0]);
    if (!flatten || !flatten->as<Reshape>()) continue;
    const ValueId data = flatten->inputs[0];
    const Shape from = graph.value(data).type->shape, to = graph.value(node.inputs[0]).type->shape;
    if (from.size() != 3 || to.size() != 2 || from[2] != to[1]) continue;
    const ValueId row = row_of_item(graph, node.inputs[1], from);
    if (row == kNone) continue;
    const ValueId axis = graph.add_constant("row_axis", HostTensor::of<int64_t>(DType::i64, {1}, std::vector<int64_t>{1}));
    const ValueId index = graph.add(make_op(Unsqueeze{}), {row, axis}, "row_index");
    graph.node(id).op = make_op(GatherND{1});
    graph.node(id).inputs = {data, index};
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
