// One row an item: CLS (a constant index) or EOS (argmax of the ids, or of ids == eos).
#include "lower/lowering.h"
#include "ops/cast.h"
#include "ops/compare.h"
#include "ops/gather.h"
#include "ops/reduce.h"
#include "ops/reshape.h"

namespace octet::lowering {
namespace {

const Node* skip_casts(const Lowering& l, ValueId value, std::vector<NodeId>& nodes) {
  const Node* node = l.graph.producer_of(value);
  while (node && (node->as<Cast>() || node->as<Unsqueeze>() || node->as<Reshape>() || node->as<Squeeze>() || node->as<Flatten>())) {
    nodes.push_back(l.producer_id(value));
    value = node->inputs[0];
    node = l.graph.producer_of(value);
  }
  return node;
}

// The graph input `value` is, through casts; nullopt otherwise.
std::optional<Located> input_ids(const Lowering& l, ValueId value, std::vector<NodeId>& nodes) {
  for (const Node* node = l.graph.producer_of(value); node && node->as<Cast>(); node = l.graph.producer_of(value)) {
    nodes.push_back(l.producer_id(value));
    value = node->inputs[0];
  }
  return l.locate(value);
}

// ArgMax(ids) or ArgMax(Cast(Equal(ids, eos))) over the token axis, the first of equals.
std::string match_row(const Lowering& l, ValueId index, plan::Pool& op, std::vector<NodeId>& nodes) {
  const Node* argmax = skip_casts(l, index, nodes);
  const auto* attributes = argmax ? argmax->as<ArgMax>() : nullptr;
  if (!attributes) return "its row index is neither a constant nor an argmax";
  if ((attributes->axis != 1 && attributes->axis != -1) || attributes->select_last_index)
    return "the argmax is not the first over the token axis";
  nodes.push_back(l.producer_id(argmax->outputs[0]));
  std::vector<NodeId> casts;
  const Node* equal = skip_casts(l, argmax->inputs[0], casts);
  if (!equal || !equal->as<Equal>()) {
    const auto ids = input_ids(l, argmax->inputs[0], nodes);
    if (!ids) return "the argmax is not over the graph's ids";
    op.ids = ids->buffer;
    op.mode = plan::PoolMode::kArgMax;
    return "";
  }
  nodes.insert(nodes.end(), casts.begin(), casts.end());
  nodes.push_back(l.producer_id(equal->outputs[0]));
  for (int side = 0; side < 2; ++side) {
    const HostTensor* eos = l.graph.constant_of(equal->inputs[static_cast<size_t>(side)]);
    const auto ids = input_ids(l, equal->inputs[static_cast<size_t>(1 - side)], nodes);
    if (!eos || eos->count() != 1 || !is_integer(eos->dtype()) || !ids) continue;
    op.ids = ids->buffer;
    op.mode = plan::PoolMode::kFirstEqual;
    op.index = eos->at_int(0);
    return "";
  }
  return "the comparison is not of the graph's ids with a constant";
}

}  // namespace

bool match_pool(Lowering& l, NodeId anchor) {
  const Node& node = l.graph.node(anchor);
  const auto in = l.item_dims(node.inputs[0]);
  const auto out = l.item_dims(node.outputs[0]);
  if (in.size() != 2 || out.size() != 1 || out[0] != in[1]) return l.refuse(anchor, "does not pick one row [B, D] of [B, T, D]"), false;
  plan::Pool op;
  std::vector<NodeId> nodes{anchor};
  if (const HostTensor* index = l.graph.constant_of(node.inputs[1]); index && node.as<Gather>()) {
    op.index = index->at_int(0) + (index->at_int(0) < 0 ? in[0] : 0);
    if (op.index < 0 || op.index >= in[0]) return l.refuse(anchor, "its row index is out of range"), false;
  } else if (const std::string no = match_row(l, node.inputs[1], op, nodes); !no.empty()) {
    return l.refuse(anchor, no), false;
  }
  const auto placed = l.locate(node.inputs[0]);  // a row of codes is as good as one of floats
  const Located x = placed ? *placed : l.require_float(node.inputs[0], node.name, "the rows are quantized in front of the pool");
  op.in = x.buffer;
  op.rows = static_cast<uint32_t>(in[0]);
  op.cols = static_cast<uint32_t>(in[1]);
  op.out = l.add_buffer(node.outputs[0], l.plan.buffers[x.buffer].dtype, out);
  l.place(node.outputs[0], {op.out, x.scale});
  l.emit(node.name, op, nodes);
  return true;
}

}  // namespace octet::lowering
