// Attention unfused: the three steps that a compiler without a fused kernel makes of it. Layouts are read where they lie, scale and
// causal mask fold into the steps: what is compared with the fused step is only that scores and weights go through memory.
#include <algorithm>

#include "lower/lowering.h"

namespace octet::lowering {
namespace {

// What `from`, the result of the step for `value`, is on the grid of E4M3 at `scale`.
plan::Id emit_rounding(Lowering& l, plan::Id from, ValueId value, float scale, const std::vector<NodeId>& nodes,
                       const std::vector<std::string>& notes) {
  const DType dtype = l.plan.buffers[from].dtype;
  const std::vector<int64_t> dims = l.plan.buffers[from].dims;
  const plan::Id to = l.add_buffer(value, dtype, dims);
  const auto [rows, cols] = std::pair(static_cast<uint32_t>(dims[0]), static_cast<uint32_t>(dims[1]));
  l.emit(l.graph.node(l.producer_id(value)).name + ".quantized", plan::FakeQuantize{from, to, rows, cols, scale}, nodes, notes);
  return to;
}

}  // namespace

void emit_attention_steps(Lowering& l, const AttentionMatch& m, const plan::Attention& op, const std::vector<NodeId>& nodes) {
  const auto at = [&](size_t i) { return nodes.begin() + static_cast<std::ptrdiff_t>(i); };
  const auto anchor = static_cast<size_t>(std::find(nodes.begin(), nodes.end(), m.anchor) - nodes.begin());
  std::vector<NodeId> scores(at(1), at(m.scores_end)), softmax{nodes[0]}, values(at(anchor), at(m.output_end));
  scores.insert(scores.end(), at(m.output_end), at(m.keys_end));
  std::vector<NodeId> quantization(at(m.scores_end), at(anchor));
  values.insert(values.end(), at(m.keys_end), nodes.end());

  // The type of the model's scores, as every tensor of it that a step writes; the weights that of v, which they are multiplied with.
  const ValueId product = l.graph.node(m.scores).outputs[0], weights = l.graph.node(nodes[0]).outputs[0];
  const std::vector<int64_t> dims{m.heads * m.tokens, plan::padded_keys(m.tokens)};
  const plan::Id s = l.add_buffer(product, l.graph.value(product).type->dtype, dims);
  const plan::Id p = l.add_buffer(weights, l.plan.buffers[op.v.buffer].dtype, dims);
  const std::vector<std::string> notes{
      m.score_grid > 0
          ? "attention is not fused: its scores are rounded to E4M3 (onnxruntime: OpTypesToExcludeOutputQuantization=['MatMul'])"
          : "attention is not fused: the pass fuse-attention is off"};
  const bool codes = l.plan.buffers[p].dtype == DType::e4m3;
  const float p_scale = op.p_scale > 0 && codes ? op.p_scale : 1;
  l.emit(l.graph.node(m.scores).name, plan::Scores{op.q, op.k, s, op.tokens, op.heads, op.head_dim, op.causal, op.score_scale}, scores,
         notes);
  plan::Id rounded = s;
  if (m.score_grid > 0) rounded = emit_rounding(l, s, product, m.score_grid, m.score_quantization, notes);
  const bool apart = op.p_scale > 0 && !codes;
  if (!apart) softmax.insert(softmax.end(), quantization.begin(), quantization.end());
  l.emit(l.graph.node(nodes[0]).name, plan::Softmax{rounded, p, op.tokens, op.heads, op.causal, p_scale, op.mask}, softmax, notes);
  // Their products with v are of floats: rounded to the codes' grid, kept in v's type.
  const plan::Id grid = apart ? emit_rounding(l, p, weights, op.p_scale, quantization, notes) : p;
  l.emit(l.graph.node(m.anchor).name, plan::Values{grid, op.v, op.out, op.tokens, op.heads, op.head_dim, op.causal, p_scale, op.out_scale},
         values, notes);
}

}  // namespace octet::lowering
