// Attention unfused: the three steps that a compiler without a fused kernel makes of it. Layouts are read where they lie, scale and
// causal mask fold into the steps: what is compared with the fused step is only that scores and weights go through memory.
#include <algorithm>

#include "lower/lowering.h"

namespace octet::lowering {

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
  const std::vector<std::string> notes{"attention is not fused: the pass fuse-attention is off"};
  const bool codes = l.plan.buffers[p].dtype == DType::e4m3;
  const float p_scale = op.p_scale > 0 && codes ? op.p_scale : 1;
  l.emit(l.graph.node(m.scores).name, plan::Scores{op.q, op.k, s, op.tokens, op.heads, op.head_dim, op.causal, op.score_scale}, scores,
         notes);
  const bool apart = op.p_scale > 0 && !codes;
  if (!apart) softmax.insert(softmax.end(), quantization.begin(), quantization.end());
  l.emit(l.graph.node(nodes[0]).name, plan::Softmax{s, p, op.tokens, op.heads, op.causal, p_scale, op.mask}, softmax, notes);
  plan::Id grid = p;
  if (apart) {  // their products with v are of floats: rounded to the codes' grid, kept in v's type
    grid = l.add_buffer(weights, l.plan.buffers[p].dtype, dims);
    const auto [rows, cols] = std::pair(static_cast<uint32_t>(dims[0]), static_cast<uint32_t>(dims[1]));
    l.emit(l.graph.node(nodes[0]).name + ".quantized", plan::FakeQuantize{p, grid, rows, cols, op.p_scale}, quantization, notes);
  }
  l.emit(l.graph.node(m.anchor).name, plan::Values{grid, op.v, op.out, op.tokens, op.heads, op.head_dim, op.causal, p_scale, op.out_scale},
         values, notes);
}

}  // namespace octet::lowering
