// LayerNormalization over the last axis, with the quantization that follows it. Also L2 normalisation.
#include "lower/lowering.h"
#include "ops/layer_normalization.h"
#include "ops/lp_normalization.h"

namespace octet::lowering {

bool match_norm(Lowering& l, NodeId anchor) {
  const Node& node = l.graph.node(anchor);
  const auto* norm = node.as<LayerNormalization>();
  const auto dims = l.item_dims(node.inputs[0]);
  const auto rank = static_cast<int64_t>(dims.size()) + 1;
  if (norm->axis != -1 && norm->axis != rank - 1) return l.refuse(anchor, "normalises more than the last axis"), false;
  const HostTensor* gamma = l.float_constant(node.inputs[1]);
  const bool has_beta = node.inputs.size() > 2 && node.inputs[2] != kNone;
  const HostTensor* beta = has_beta ? l.float_constant(node.inputs[2]) : nullptr;
  if (!gamma || gamma->count() != dims.back() || (has_beta && (!beta || beta->count() != dims.back())))
    return l.refuse(anchor, "scale or bias is not a constant vector"), false;
  const Located in = l.require_float(node.inputs[0], node.name, "the norm's input is quantized; no norm kernel reads codes");

  plan::Norm op;
  op.in = in.buffer;
  op.cols = static_cast<uint32_t>(dims.back());
  op.rows = 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i) op.rows *= static_cast<uint32_t>(dims[i]);
  op.epsilon = norm->epsilon;
  op.gamma = l.add_weight(l.graph.value(node.inputs[1]).name, gamma->reshaped({dims.back()}));
  if (beta) op.beta = l.add_weight(l.graph.value(node.inputs[2]).name, beta->reshaped({dims.back()}));
  auto out = l.finish_output(node.outputs[0], dims);
  op.out = out.buffer;
  op.out_scale = out.scale;
  out.nodes.push_back(anchor);
  l.emit(node.name, op, out.nodes, out.notes);
  if (out.scale != 1) return true;
  // A post-norm layer reads its norm in FP8 and adds it as residual: normalised twice rather than written, read and quantized.
  if (const auto q = l.partly_quantized(node.outputs[0])) {
    op.out = l.add_buffer(l.graph.node(q->nodes[0]).outputs[0], DType::e4m3, dims);
    op.out_scale = q->scale;
    for (const ValueId dq : q->values) l.place(dq, {op.out, q->scale});
    l.emit(node.name + ".e4m3", op, q->nodes, {"the same norm again: its result is wanted in both types"});
  }
  return true;
}

bool match_l2normalize(Lowering& l, NodeId anchor) {
  const Node& node = l.graph.node(anchor);
  const auto* norm = node.as<LpNormalization>();
  const auto dims = l.item_dims(node.inputs[0]);
  if (norm->p != 2 || dims.size() != 1 || (norm->axis != -1 && norm->axis != 1))
    return l.refuse(anchor, "only the L2 norm of [batch, width] over its last axis"), false;
  const Located in = l.require(node.inputs[0], node.name);
  const plan::Id out = l.add_buffer(node.outputs[0], l.graph.value(node.outputs[0]).type->dtype, dims);
  l.place(node.outputs[0], {out, 1});
  l.emit(node.name, plan::L2Normalize{in.buffer, out, static_cast<uint32_t>(dims[0]), 0}, {anchor});
  return true;
}

}  // namespace octet::lowering
