// Roundings that no product's step holds: a sum rounded to E4M3 before its bias (onnxruntime's quantizer puts Q and DQ on outputs too)
// leaves the rest of the epilogue to a step of its own; so does a tensor quantized again at another scale.
#include "base/text.h"
#include "lower/epilogue.h"
#include "ops/arithmetic.h"

namespace octet::lowering {
namespace {

constexpr const char* kRemedy = "without its Q/DQ (onnxruntime: OpTypesToExcludeOutputQuantization=['MatMul'])";

// The step that reads `in`, which is a value of dims [rows.., cols].
plan::Pointwise reading(const Lowering& l, const Located& in) {
  plan::Pointwise op;
  op.in = in.buffer;
  op.scale = in.scale;
  const auto& dims = l.plan.buffers[in.buffer].dims;
  op.rows = 1, op.cols = static_cast<uint32_t>(dims.back());
  for (size_t i = 0; i + 1 < dims.size(); ++i) op.rows *= static_cast<uint32_t>(dims[i]);
  return op;
}

// Where the attention reads `base` it lies in the form that the attention wants.
void write_head(Lowering& l, ValueId base, plan::Pointwise& op) {
  const HeadInput& in = l.head_input(base);
  const std::vector<int64_t> dims = l.plan.buffers[op.in].dims;
  op.mul *= in.mul;
  op.out_scale = in.scale.value_or(1);
  op.out = l.add_buffer(base, in.scale ? DType::e4m3 : l.graph.value(base).type->dtype, dims);
  l.place(base, {op.out, op.out_scale});
}

// The operand of `node` that is the DQ of codes that a step has written.
ValueId rounded_operand(const Lowering& l, const Node& node) {
  for (const ValueId in : node.inputs) {
    const Node* dq = in == kNone ? nullptr : l.graph.producer_of(in);
    if (dq && dq->as<DequantizeLinear>() && l.locate(in)) return in;
  }
  return kNone;
}

}  // namespace

bool match_pointwise(Lowering& l, NodeId anchor) {
  const Node& node = l.graph.node(anchor);
  const ValueId in = rounded_operand(l, node);
  if (in == kNone) return false;
  plan::Pointwise op = reading(l, *l.locate(in));
  Epilogue epilogue{in, op.cols};
  while (!l.head_inputs.count(epilogue.result) && extend(l, epilogue)) {}
  if (epilogue.nodes.empty() || epilogue.factor)
    return l.refuse(anchor, fmt::format("its operand `{}` is rounded to E4M3, and what follows is not [+ bias] [activation] [* constant] "
                                        "[+ residual]; it folds into the product {}",
                                        printable(l.graph.value(in).name), kRemedy)),
           false;
  op.activation = epilogue.activation;
  op.mul = epilogue.mul;
  if (epilogue.bias) op.bias = l.add_weight(epilogue.bias_name, epilogue.bias->reshaped({op.cols}));
  if (epilogue.residual != kNone) op.residual = l.require(epilogue.residual, node.name).buffer;
  if (l.head_inputs.count(epilogue.result)) {
    write_head(l, epilogue.result, op);
  } else {
    auto out = l.epilogue_output(epilogue.result, l.item_dims(epilogue.result), op.residual != plan::kNoId);
    op.out = out.buffer, op.out_scale = out.scale;
    epilogue.nodes.insert(epilogue.nodes.end(), out.nodes.begin(), out.nodes.end());
  }
  l.emit(node.name, op, epilogue.nodes,
         {fmt::format("the product before it is rounded to E4M3 first: this folds into its step {}", kRemedy)});
  return true;
}

void requantize_heads(Lowering& l, const std::vector<ValueId>& values) {
  for (const ValueId value : values) {
    if (!l.head_inputs.count(value)) continue;
    plan::Pointwise op = reading(l, *l.locate(value));
    write_head(l, value, op);
    l.emit(l.plan.buffers[op.out].name + ".again", op, {},
           {fmt::format("rounded to E4M3 twice, at two scales: one step less {}", kRemedy)});
  }
}

void requantize(Lowering& l, ValueId value, float scale) {
  plan::Pointwise op = reading(l, *l.locate(value));
  op.out_scale = scale;
  const plan::Buffer from = l.plan.buffers[op.in];
  op.out = l.add_buffer(value, DType::e4m3, from.dims);
  l.place(value, {op.out, scale});
  l.emit(from.name + ".again", op, {}, {fmt::format("rounded to E4M3 twice, at two scales: one step less {}", kRemedy)});
}

void quantize_operand(Lowering& l, ValueId value) {
  const Node* dq = l.graph.producer_of(value);
  if (l.locate(value) || !dq || !dq->as<DequantizeLinear>()) return;
  const NodeId q = l.producer_id(dq->inputs[0]);
  if (q == kNone || !l.graph.node(q).as<QuantizeLinear>()) return;
  const ValueId x = l.graph.node(q).inputs[0];
  const auto from = l.locate(x);
  const auto found = l.partly_quantized(x);
  if (!from || !found) return;
  plan::Pointwise op = reading(l, *from);
  op.out_scale = found->scale;
  const std::vector<int64_t> dims = l.plan.buffers[from->buffer].dims;
  op.out = l.add_buffer(l.graph.node(q).outputs[0], DType::e4m3, dims);
  for (const ValueId to : found->values) l.place(to, {op.out, found->scale});
  const bool codes = l.plan.buffers[from->buffer].dtype == DType::e4m3;
  l.emit(l.graph.node(q).name, op, found->nodes,
         {codes ? "rounded to E4M3 twice, at two scales"
                : "quantized by a step of its own: the step before it writes floats, which are read too"});
}

}  // namespace octet::lowering
