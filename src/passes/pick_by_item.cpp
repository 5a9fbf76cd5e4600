// x[arange(batch), r] is spelt row item * T + r of the items flattened to [T * batch, D], or as GatherND by the pairs (item, r). Both
// become the GatherND of one row an item over [batch, T, D], the form that the passes and matchers behind know.
#include "ops/arithmetic.h"
#include "ops/concat.h"
#include "ops/constant.h"
#include "ops/gather.h"
#include "ops/reshape.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

bool is_scalar(const HostTensor* constant, int64_t value) { return constant && constant->count() == 1 && constant->at_int(0) == value; }

// Whether `value` is 0, 1, 2 ... one an item.
bool is_item_index(const Graph& graph, ValueId value, const Shape& data) {
  const Node* range = graph.producer_of(value);
  return range && range->as<RangeOp>() && graph.value(range->outputs[0]).type->shape == Shape{data[0]} &&
         is_scalar(graph.constant_of(range->inputs[0]), 0) && is_scalar(graph.constant_of(range->inputs[2]), 1);
}

// Whether `value` is item * tokens for every item of the batch: Mul(Range(0, batch, 1), tokens).
bool is_item_offset(const Graph& graph, ValueId value, const Shape& data) {
  const Node* product = graph.producer_of(value);
  if (!product || !product->as<Mul>() || !data[1].is_static()) return false;
  for (size_t side = 0; side < 2; ++side)
    if (is_item_index(graph, product->inputs[side], data) && is_scalar(graph.constant_of(product->inputs[1 - side]), data[1].value))
      return true;
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

// Gather(flattened items, item * T + r): the index [batch, 1] of GatherND over the items, and the items; kNone if it is no such.
std::pair<ValueId, ValueId> by_flat_row(Graph& graph, const Node& node) {
  const auto* gather = node.as<Gather>();
  const Node* flatten = gather && gather->axis == 0 ? graph.producer_of(node.inputs[0]) : nullptr;
  if (!flatten || !(flatten->as<Reshape>() || flatten->as<Flatten>())) return {kNone, kNone};
  const ValueId data = flatten->inputs[0];
  const Shape from = graph.value(data).type->shape, to = graph.value(node.inputs[0]).type->shape;
  if (from.size() != 3 || to.size() != 2 || from[2] != to[1]) return {kNone, kNone};
  const ValueId row = row_of_item(graph, node.inputs[1], from);
  if (row == kNone) return {kNone, kNone};
  const ValueId axis = graph.add_constant("row_axis", HostTensor::of<int64_t>(DType::i64, {1}, std::vector<int64_t>{1}));
  return {data, graph.add(make_op(Unsqueeze{}), {row, axis}, "row_index")};
}

// GatherND(items, [[0, r0], [1, r1], ...]).
std::pair<ValueId, ValueId> by_pairs(const Graph& graph, const Node& node) {
  const auto* gather = node.as<GatherND>();
  const Node* pairs = gather && gather->batch_dims == 0 ? graph.producer_of(node.inputs[1]) : nullptr;
  const Shape data = graph.value(node.inputs[0]).type->shape;
  if (!pairs || !pairs->as<Concat>() || pairs->inputs.size() != 2 || data.size() != 3) return {kNone, kNone};
  const int64_t axis = pairs->as<Concat>()->axis;
  const TensorType column{DType::i64, {data[0], 1}};
  if ((axis != 1 && axis != -1) || graph.value(pairs->inputs[0]).type != column || graph.value(pairs->inputs[1]).type != column)
    return {kNone, kNone};
  const Node* items = graph.producer_of(pairs->inputs[0]);
  while (items && (items->as<Unsqueeze>() || items->as<Reshape>())) {
    if (is_item_index(graph, items->inputs[0], data)) return {node.inputs[0], pairs->inputs[1]};
    items = graph.producer_of(items->inputs[0]);
  }
  return {kNone, kNone};
}

}  // namespace

int pick_by_item(Graph& graph, Notes&) {
  int rewrites = 0;
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id) {
    const Node node = graph.node(id);  // adding nodes may move the others
    if (node.dead || graph.opset < 13 || !(node.as<Gather>() || node.as<GatherND>())) continue;
    const auto [data, index] = node.as<Gather>() ? by_flat_row(graph, node) : by_pairs(graph, node);
    if (data == kNone) continue;
    graph.node(id).op = make_op(GatherND{1});
    graph.node(id).inputs = {data, index};
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
