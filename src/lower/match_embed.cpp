// The first step of a tower: token + position embedding, or a patch convolution with class token and positions.
#include <algorithm>

#include "lower/lowering.h"
#include "ops/arithmetic.h"
#include "ops/concat.h"
#include "ops/conv.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/reshape.h"
#include "ops/transpose.h"

namespace octet::lowering {
namespace {

// The consumer of `value` if it is Add with a constant: the constant's id, else kNone.
ValueId added_constant(const Lowering& l, ValueId value, NodeId* add) {
  const Node* node = l.only_consumer(value, add);
  if (!node || !node->as<Add>()) return kNone;
  const ValueId other = node->inputs[node->inputs[0] == value ? 1 : 0];
  return l.float_constant(other) ? other : kNone;
}

// [1, .., n, d] -> [n, d], leading ones dropped; nullopt when something else leads.
std::optional<HostTensor> as_rows(const HostTensor& tensor, int64_t rows, int64_t cols) {
  if (tensor.count() != rows * cols || tensor.rank() < 1 || tensor.dims().back() != cols) return std::nullopt;
  return tensor.reshaped({rows, cols});
}

}  // namespace

namespace {

// Rows of a table, chosen by an input; and what is added to them.
struct EmbedSum {
  NodeId gather = kNone, types = kNone;  // nodes; types: the second gather, of the smaller table
  std::vector<NodeId> nodes;
  std::vector<float> position;  // [T, D]
  std::string position_name;
  ValueId result = kNone;
};

const HostTensor* table_of(const Lowering& l, NodeId gather) {
  const Node& node = l.graph.node(gather);
  if (!node.as<Gather>() || node.as<Gather>()->axis != 0) return nullptr;
  const HostTensor* table = l.float_constant(node.inputs[0]);
  return table && table->rank() == 2 ? table : nullptr;
}

// A constant [T, D], [1, T, D] or of one row [D], added to every row of `sum`.
bool add_position(EmbedSum& sum, const HostTensor& added, int64_t tokens, int64_t width) {
  if (added.rank() < 1 || added.dims().back() != width || (added.count() != tokens * width && added.count() != width)) return false;
  const std::vector<float> values = to_f32(added);
  sum.position.resize(static_cast<size_t>(tokens * width));
  for (size_t i = 0; i < sum.position.size(); ++i) sum.position[i] += values[i % values.size()];
  return true;
}

// Takes one addition more: of a constant, or of another gather by an input.
bool extend(const Lowering& l, EmbedSum& sum, int64_t tokens, int64_t width) {
  NodeId id = kNone;
  const Node* node = l.only_consumer(sum.result, &id);
  if (!node || !node->as<Add>()) return false;
  const ValueId other = node->inputs[node->inputs[0] == sum.result ? 1 : 0];
  const NodeId producer = l.producer_id(other);
  if (const HostTensor* constant = l.float_constant(other)) {
    if (!add_position(sum, *constant, tokens, width)) return false;
    if (sum.position_name.empty()) sum.position_name = l.graph.value(other).name;
  } else if (producer != kNone && sum.types == kNone && table_of(l, producer) && l.locate(l.graph.node(producer).inputs[1]) &&
             l.only_consumer(other)) {
    sum.types = producer;
    sum.nodes.push_back(producer);
  } else {
    return false;
  }
  sum.nodes.push_back(id);
  sum.result = node->outputs[0];
  return true;
}

}  // namespace

bool match_embed(Lowering& l, NodeId anchor) {
  const Node& node = l.graph.node(anchor);
  const HostTensor* table = table_of(l, anchor);
  if (!table) return l.refuse(anchor, "not a row gather from a constant [V, D] table"), false;
  const auto ids = l.locate(node.inputs[1]);
  if (!ids) return l.refuse(anchor, "its ids are computed, not a graph input"), false;
  const int64_t width = table->dims()[1];
  const auto dims = l.item_dims(node.outputs[0]);
  EmbedSum sum{anchor, kNone, {anchor}, {}, {}, node.outputs[0]};
  while (dims.size() == 2 && extend(l, sum, dims[0], width)) {}
  if (sum.position.empty()) return l.refuse(anchor, "no constant position embedding [T, D] is added to it"), false;

  plan::Embed op;
  op.out = l.float_output(sum.result, dims);
  if (sum.types != kNone && table_of(l, sum.types)->dims()[0] > table->dims()[0]) std::swap(sum.gather, sum.types);
  const auto place = [&](NodeId gather, plan::Id& id, plan::Id& weight) {
    const Node& from = l.graph.node(gather);
    id = l.locate(from.inputs[1])->buffer;
    weight = l.add_weight(l.graph.value(from.inputs[0]).name, *table_of(l, gather));
  };
  place(sum.gather, op.ids, op.token);
  if (sum.types != kNone) place(sum.types, op.types, op.type);
  op.position = l.add_weight(sum.position_name, from_f32(table->dtype(), {dims[0], width}, sum.position));
  l.emit(l.graph.node(sum.gather).name, op, sum.nodes);
  return true;
}

namespace {

// What follows the convolution: flatten, transpose to rows, class token in front, positions.
struct PatchChain {
  std::vector<NodeId> nodes;
  const HostTensor* class_token = nullptr;
  std::string class_name, position_name;
  const HostTensor* position = nullptr;
  ValueId result = kNone;
};

// Concat([Expand(constant), rows], axis 1): the constant is the class token of every item.
bool take_class_token(const Lowering& l, const Node& concat, ValueId rows, PatchChain& chain) {
  const auto* attributes = concat.as<Concat>();
  if (!attributes || concat.inputs.size() != 2 || concat.inputs[1] != rows || (attributes->axis != 1 && attributes->axis != -2))
    return false;
  const Node* expand = l.graph.producer_of(concat.inputs[0]);
  if (!expand || !expand->as<Expand>()) return false;
  chain.class_token = l.float_constant(expand->inputs[0]);
  chain.class_name = l.graph.value(expand->inputs[0]).name;
  chain.nodes.push_back(l.producer_id(concat.inputs[0]));
  return chain.class_token != nullptr;
}

std::string follow_patches(const Lowering& l, ValueId value, PatchChain& chain) {
  NodeId id = kNone;
  const Node* node = l.only_consumer(value, &id);
  if (!node || !(node->as<Reshape>() || node->as<Flatten>())) return "no flatten of the patch grid follows";
  chain.nodes.push_back(id);
  node = l.only_consumer(node->outputs[0], &id);
  if (!node || !node->as<Transpose>() || node->as<Transpose>()->perm != std::vector<int64_t>{0, 2, 1})
    return "no transpose [0, 2, 1] follows the flatten";
  chain.nodes.push_back(id);
  value = node->outputs[0];
  node = l.only_consumer(value, &id);
  if (node && node->as<Concat>()) {
    if (!take_class_token(l, *node, value, chain)) return "the concatenation is not an expanded constant class token before the patches";
    chain.nodes.push_back(id);
    value = node->outputs[0];
  }
  NodeId add = kNone;
  const ValueId position = added_constant(l, value, &add);
  if (position == kNone) return "no constant position embedding is added";
  chain.nodes.push_back(add);
  chain.position = l.float_constant(position);
  chain.position_name = l.graph.value(position).name;
  chain.result = l.graph.node(add).outputs[0];
  return "";
}

bool is_patch_conv(const Conv& conv, const HostTensor& w) {
  const auto all = [](const std::vector<int64_t>& v, int64_t x) {
    return std::all_of(v.begin(), v.end(), [&](int64_t e) { return e == x; });
  };
  return w.rank() == 4 && w.dims()[2] == w.dims()[3] && conv.group == 1 && all(conv.pads, 0) && all(conv.dilations, 1) &&
         conv.strides == std::vector<int64_t>{w.dims()[2], w.dims()[3]} && (conv.auto_pad == "NOTSET" || conv.auto_pad == "VALID");
}

// What the DQ of a constant gives.
HostTensor dequantized(const Lowering& l, const Node& dq) {
  std::vector<const HostTensor*> in;
  for (const ValueId id : dq.inputs) in.push_back(l.graph.constant_of(id));
  return std::move(dq.op.def().reference(dq.op.attributes(), in, l.graph.opset)[0]);
}

}  // namespace

bool match_patch_embed(Lowering& l, NodeId anchor) {
  const Node& node = l.graph.node(anchor);
  const auto* conv = node.as<Conv>();
  const auto quantized = l.quantized_weight(node.inputs[1]);
  const bool by_channel = quantized && quantized->scale->count() != 1;
  const HostTensor floats = by_channel ? dequantized(l, l.graph.node(quantized->dq)) : HostTensor();
  const HostTensor* w = by_channel ? &floats : quantized ? quantized->codes : l.float_constant(node.inputs[1]);
  if (!w || !is_patch_conv(*conv, *w))
    return l.refuse(anchor, "not a patch embedding: the kernel must equal its stride, without padding"), false;
  const Node* before = l.graph.producer_of(node.inputs[0]);
  std::optional<PictureTable> table;
  if (before && !before->as<DequantizeLinear>()) {
    std::string why;
    table = picture_table(l, node.inputs[0], why);
    if (!table) return l.refuse(anchor, why), false;
  }
  PatchChain chain;
  if (const std::string no = follow_patches(l, node.outputs[0], chain); !no.empty()) return l.refuse(anchor, no), false;

  const auto in = l.item_dims(node.inputs[0]);
  const auto dims = l.item_dims(chain.result);
  const int64_t width = w->dims()[0];
  const auto rows = as_rows(*chain.position, dims[0], width);
  if (!rows || (chain.class_token && chain.class_token->count() != width))
    return l.refuse(anchor, "class token or positions do not fit"), false;
  plan::PatchEmbed op;
  if (table) {
    op.pixels = table->pixels;
    op.table = l.add_weight(l.graph.value(node.inputs[0]).name, table->values);
    chain.nodes.insert(chain.nodes.end(), table->nodes.begin(), table->nodes.end());
  } else {
    op.pixels = l.require_float(node.inputs[0], node.name, "the pixels are quantized; no patch kernel reads codes").buffer;
  }
  op.channels = static_cast<uint32_t>(in[0]);
  op.height = static_cast<uint32_t>(in[1]);
  op.width = static_cast<uint32_t>(in[2]);
  op.patch = static_cast<uint32_t>(w->dims()[2]);
  op.scale = quantized && !by_channel ? static_cast<float>(quantized->scale->at(0)) : 1;
  op.weight = l.add_weight(l.graph.value(node.inputs[1]).name, w->reshaped({width, w->count() / width}));
  if (node.inputs.size() > 2 && node.inputs[2] != kNone)
    op.bias = l.add_weight(l.graph.value(node.inputs[2]).name, *l.float_constant(node.inputs[2]));
  if (chain.class_token) op.class_token = l.add_weight(chain.class_name, chain.class_token->reshaped({width}));
  op.position = l.add_weight(chain.position_name, *rows);
  op.out = l.float_output(chain.result, dims);
  chain.nodes.push_back(anchor);
  if (quantized) chain.nodes.push_back(quantized->dq);
  std::vector<std::string> notes;
  if (by_channel) notes.push_back(fmt::format("its FP8 weight has a scale a channel: kept in {}", w->dtype()));
  l.emit(node.name, op, chain.nodes, notes);
  return true;
}

}  // namespace octet::lowering
