// softmax(q k^T [* c] [+ mask]) v with heads split from and merged into [B, S, heads * head_dim], with the Q/DQ of FP8 attention.
// find_attentions reads the graph only; match_attention emits the step once the projections have been placed.
#include <algorithm>

#include "base/text.h"
#include "lower/lowering.h"
#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/matmul.h"
#include "ops/reshape.h"
#include "ops/softmax.h"
#include "ops/transpose.h"

namespace octet::lowering {
namespace {

using Perm = std::vector<int64_t>;

// An "expected no" on the way: caught by find_attentions and kept as the reason.
struct No {
  std::string reason;
};

// The step holds q, k and v as they are and everything between them in f32: Casts from float to float change nothing there.
bool is_float_cast(const Lowering& l, const Node& node) {
  const auto dtype = [&](ValueId value) { return l.graph.value(value).type->dtype; };
  return node.as<Cast>() && is_float(dtype(node.inputs[0])) && is_float(dtype(node.outputs[0]));
}

// Walks back from an operand of a product to the unsplit projection: Casts, products with constants, one Q and DQ and layout changes
// down to the Reshape that splits heads, in any order. `want` is the permutation of [B, S, H, d] that the product needs.
class HeadTrace {
 public:
  HeadTrace(const Lowering& l, AttentionMatch& match, const char* who) : l_(l), match_(match), who_(who) {}

  HeadInput run(ValueId value, const Perm& want) {
    bool split = false;
    for (;;) {
      const Node* node = l_.graph.producer_of(value);
      if (node && is_float_cast(l_, *node)) value = take(value, 0);
      else if (const ValueId x = node ? unscaled(value, *node) : kNone; x != kNone) value = x;
      else if (node && node->as<DequantizeLinear>() && in_.scale && split) return finished(value);  // of a sum that is rounded first
      else if (node && node->as<DequantizeLinear>()) value = unquantized(value, *node);
      else if (split) return finished(value);
      else if (!node) throw No{fmt::format("{} does not come from a projection", who_)};
      else if (node->as<Mul>() || node->as<Div>()) throw No{fmt::format("{} is multiplied by something that is not a constant", who_)};
      else if (const auto* transpose = node->as<Transpose>()) value = untransposed(value, *transpose);
      else if (node->as<Reshape>()) value = unsplit(value, want), split = true;
      else throw No{fmt::format("{} passes through `{}` ({})", who_, node->name, node->op.name())};
    }
  }

 private:
  ValueId take(ValueId value, size_t input) {
    match_.nodes.push_back(l_.producer_id(value));
    return l_.graph.producer_of(value)->inputs[input];
  }

  // Of a product with a constant: the other factor; kNone otherwise. Before a Q the constant scales what is rounded, behind it the codes.
  ValueId unscaled(ValueId value, const Node& node) {
    if (!node.as<Mul>() && !node.as<Div>()) return kNone;
    const size_t side = l_.scalar_constant(node.inputs[1]) ? 1 : 0;
    const auto c = l_.scalar_constant(node.inputs[side]);
    if (!c || (node.as<Div>() && side == 0)) return kNone;
    (in_.scale ? in_.mul : behind_) *= node.as<Mul>() ? *c : 1 / *c;
    return take(value, 1 - side);
  }

  ValueId unquantized(ValueId value, const Node& dq) {
    const Node* q = l_.graph.producer_of(dq.inputs[0]);
    const auto scale = l_.scalar_constant(dq.inputs[1]);
    if (!q || !q->as<QuantizeLinear>() || !scale || l_.scalar_constant(q->inputs[1]) != scale)
      throw No{fmt::format("{}'s Q and DQ differ in scale", who_)};
    if (in_.scale) throw No{fmt::format("{} is quantized twice", who_)};
    if (l_.graph.value(dq.inputs[0]).type->dtype != DType::e4m3) throw No{fmt::format("{} is not quantized to e4m3", who_)};
    in_.scale = scale;
    return take(take(value, 0), 0);
  }

  ValueId untransposed(ValueId value, const Transpose& transpose) {
    if (transpose.perm.size() != 4) throw No{fmt::format("{} has a transpose of rank {}", who_, transpose.perm.size())};
    Perm composed(4);
    for (size_t i = 0; i < 4; ++i) composed[i] = transpose.perm[static_cast<size_t>(perm_[i])];
    perm_ = composed;
    return take(value, 0);
  }

  ValueId unsplit(ValueId value, const Perm& want) {
    const auto dims = l_.item_dims(value);
    if (dims.size() != 3) throw No{fmt::format("{} is not split into [batch, tokens, heads, head_dim]", who_)};
    if (perm_ != want) throw No{fmt::format("{} reaches the product in layout [{}]", who_, fmt::join(perm_, ","))};
    if (match_.tokens && (match_.tokens != dims[0] || match_.heads != dims[1] || match_.head_dim != dims[2]))
      throw No{"q, k and v differ in shape (cross or grouped attention)"};
    match_.tokens = dims[0], match_.heads = dims[1], match_.head_dim = dims[2];
    return take(value, 0);
  }

  HeadInput finished(ValueId base) {
    if (in_.scale && !(behind_ > 0)) throw No{fmt::format("{}'s codes are multiplied by {}", who_, behind_)};
    (in_.scale ? in_.factor : in_.mul) *= behind_;
    in_.base = base;
    return in_;
  }

  const Lowering& l_;
  AttentionMatch& match_;
  const char* who_;
  HeadInput in_;
  float behind_ = 1;  // product of the constants between the operand and the DQ, if there is one
  Perm perm_{0, 1, 2, 3};
};

HeadInput trace_head_input(const Lowering& l, ValueId value, const Perm& want, AttentionMatch& match, const char* who) {
  return HeadTrace(l, match, who).run(value, want);
}

// A constant added to the scores: nothing, or a causal mask.
bool causal_mask(const HostTensor& mask, int64_t tokens) {
  bool zero = true;
  for (int64_t i = 0; i < mask.count() && zero; ++i) zero = mask.at(i) == 0;
  if (zero) return false;
  if (mask.count() != tokens * tokens) throw No{fmt::format("the mask is {}, not [tokens, tokens]", describe(mask))};
  bool any = false;
  for (int64_t i = 0; i < tokens; ++i)
    for (int64_t j = 0; j < tokens; ++j) {
      const double value = mask.at(i * tokens + j);
      // -1e4 already gives exp() == 0 in every float type beside any score an f16 model can hold.
      if (j > i ? !(value <= -1e4) && value != 0 : value != 0) throw No{"the mask is neither zero nor causal"};
      any |= j > i && value != 0;
    }
  for (int64_t i = 0; any && i < tokens; ++i)
    for (int64_t j = i + 1; j < tokens; ++j)
      if (mask.at(i * tokens + j) == 0) throw No{"the mask is causal only in part"};
  return any;
}

// The other operand of an addition that hides keys as an input says, which is noted in `match`; kNone if it is another addition.
ValueId take_key_mask(const Lowering& l, const Node& add, AttentionMatch& match) {
  const int64_t keys = l.item_dims(add.outputs[0]).back();
  for (size_t side = 0; side < 2; ++side) {
    match.mask = key_mask(l, add.inputs[side], keys, match.nodes);
    if (match.mask != kNone) return add.inputs[1 - side];
  }
  return kNone;
}

// What the Q of the scores' DQ, the last of match.nodes, reads: it becomes a step between those of an unfused attention.
ValueId unrounded_scores(const Lowering& l, const Node& dq, AttentionMatch& match) {
  const Node* q = l.graph.producer_of(dq.inputs[0]);
  const auto scale = l.scalar_constant(dq.inputs[1]);
  if (!q || !q->as<QuantizeLinear>() || !scale || l.scalar_constant(q->inputs[1]) != scale ||
      l.graph.value(dq.inputs[0]).type->dtype != DType::e4m3)
    throw No{"the scores' Q and DQ are not one pair of e4m3 and one scale"};
  if (match.score_grid > 0) throw No{"the scores are quantized twice"};
  if (!(match.score_scale > 0)) throw No{fmt::format("the codes of the scores are multiplied by {}", match.score_scale)};
  match.score_grid = *scale * match.score_scale;
  match.score_quantization = {match.nodes.back(), l.producer_id(dq.inputs[0])};
  match.nodes.pop_back();
  return q->inputs[0];
}

// From the softmax back to the first product.
void trace_scores(const Lowering& l, ValueId value, AttentionMatch& match, const HostTensor** mask) {
  for (;;) {
    const Node* node = l.graph.producer_of(value);
    if (!node) throw No{"the scores are a graph input"};
    match.nodes.push_back(l.producer_id(value));
    if (is_float_cast(l, *node)) {
      value = node->inputs[0];
      continue;
    }
    if (node->as<MatMul>()) {
      match.scores = l.producer_id(value);
      return;
    }
    if (node->as<Add>() && match.score_grid > 0)
      throw No{"the scores are quantized with their mask on them, which no E4M3 holds: quantize them before it, or not at all"};
    if (node->as<Add>() && match.mask == kNone) {
      const ValueId before = take_key_mask(l, *node, match);
      if (before != kNone) {
        value = before;
        continue;
      }
    }
    const size_t side = node->inputs.size() == 2 && l.float_constant(node->inputs[1]) ? 1 : 0;
    const HostTensor* c = node->inputs.size() == 2 ? l.float_constant(node->inputs[side]) : nullptr;
    if (node->as<Add>() && c && !*mask) *mask = c;
    else if (node->as<Mul>() && c && c->count() == 1) match.score_scale *= static_cast<float>(c->at(0));
    else if (node->as<Div>() && side == 1 && c && c->count() == 1) match.score_scale /= static_cast<float>(c->at(0));
    else if (node->as<DequantizeLinear>()) {
      value = unrounded_scores(l, *node, match);
      continue;
    } else throw No{fmt::format("the scores pass through `{}` ({})", node->name, node->op.name())};
    value = node->inputs[1 - side];
  }
}

// The value behind the Casts that alone read `value`.
ValueId behind_casts(const Lowering& l, ValueId value, AttentionMatch& match) {
  NodeId id = kNone;
  for (const Node* node = l.only_consumer(value, &id); node && is_float_cast(l, *node); node = l.only_consumer(value, &id)) {
    match.nodes.push_back(id);
    value = node->outputs[0];
  }
  return value;
}

// Behind Casts and, unless the output has them already, a Q and DQ, and again.
ValueId take_output(const Lowering& l, ValueId value, AttentionMatch& match) {
  value = behind_casts(l, value, match);
  for (auto* found : {&match.output, &match.again}) {
    auto q = *found ? std::nullopt : l.quantized(value);
    if (!q) continue;
    if (q->values.size() != 1) throw No{"the quantized output has several uses"};
    match.nodes.insert(match.nodes.end(), q->nodes.begin(), q->nodes.end());
    value = behind_casts(l, q->values[0], match);
    *found = std::move(q);
  }
  return value;
}

// Forward from the softmax: [Q DQ], the second product, Transpose, Reshape, with one [Q DQ] of the output among them.
ValueId follow_output(const Lowering& l, ValueId p, AttentionMatch& match) {
  p = behind_casts(l, p, match);
  if (const ValueId guarded = l.behind_nan_guard(p, match.nodes); match.mask != kNone && guarded != kNone) {
    match.notes.push_back("an item whose mask hides every key weighs all keys alike; the model's test for NaN gives it zeros");
    p = behind_casts(l, guarded, match);
  }
  if (const auto q = l.quantized(p)) {
    match.p_scale = q->scale;
    match.nodes.insert(match.nodes.end(), q->nodes.begin(), q->nodes.end());
    if (q->values.size() != 1) throw No{"the quantized softmax has several uses"};
    p = behind_casts(l, q->values[0], match);
  }
  const Node* product = l.only_consumer(p, &match.anchor);
  if (!product || !product->as<MatMul>() || product->inputs[0] != p) throw No{"the softmax is not the first operand of one product with v"};
  match.nodes.push_back(match.anchor);
  const ValueId v = product->inputs[1];
  ValueId out = take_output(l, product->outputs[0], match);
  NodeId id = kNone;
  const Node* transpose = l.only_consumer(out, &id);
  if (!transpose || !transpose->as<Transpose>() || transpose->as<Transpose>()->perm != Perm{0, 2, 1, 3})
    throw No{"heads are not merged by a transpose [0, 2, 1, 3]"};
  match.nodes.push_back(id);
  out = take_output(l, transpose->outputs[0], match);
  const Node* merge = l.only_consumer(out, &id);
  if (!merge || !merge->as<Reshape>()) throw No{"heads are not merged by a reshape"};
  match.nodes.push_back(id);
  match.result = behind_casts(l, merge->outputs[0], match);
  return v;
}

// FP8 attention multiplies codes by codes.
std::string half_quantized(const Lowering& l, const AttentionMatch& match) {
  std::string with, without;
  for (const auto& [in, name] : {std::pair{&match.q, "q"}, {&match.k, "k"}, {&match.v, "v"}}) {
    std::string& list = in->scale ? with : without;
    list += fmt::format("{}{} (`{}`)", list.empty() ? "" : ", ", name, printable(l.graph.value(in->base).name));
  }
  return fmt::format(
      "it is half quantized: {} with Q/DQ, {} without. Quantize q, k and v, or none of them (`octet quantize`, or the "
      "writer's q, k and v quantizers)",
      with, without);
}

AttentionMatch match_softmax(const Lowering& l, NodeId id) {
  const Node& softmax = l.graph.node(id);
  AttentionMatch match;
  match.nodes.push_back(id);
  const auto dims = l.item_dims(softmax.outputs[0]);
  const int64_t axis = softmax.as<Softmax>()->axis;
  if (dims.size() != 3 || (axis != -1 && axis != 3)) throw No{"not a softmax over the last axis of [batch, heads, tokens, tokens]"};
  const HostTensor* mask = nullptr;
  trace_scores(l, softmax.inputs[0], match, &mask);
  match.scores_end = match.nodes.size();
  const ValueId v = follow_output(l, softmax.outputs[0], match);
  match.output_end = match.nodes.size();
  const Node& scores = l.graph.node(match.scores);
  match.q = trace_head_input(l, scores.inputs[0], {0, 2, 1, 3}, match, "q");
  match.k = trace_head_input(l, scores.inputs[1], {0, 2, 3, 1}, match, "k");
  match.keys_end = match.nodes.size();
  match.v = trace_head_input(l, v, {0, 2, 1, 3}, match, "v");
  if (match.q.base == match.k.base || match.k.base == match.v.base || match.q.base == match.v.base)
    throw No{"q, k and v do not come from three projections"};
  const bool all = match.q.scale && match.k.scale && match.v.scale;
  const bool none = !match.q.scale && !match.k.scale && !match.v.scale;
  if (!all && !none) throw No{half_quantized(l, match)};
  if (all && match.p_scale == 0 && !l.fuses(match))
    throw No{"q, k and v are quantized, the softmax is not: no unfused step multiplies both"};
  // ModelOpt writes both: the softmax alone where a linear-only recipe left q, k and v alone, or (before 0.46, its plug-in) all but it.
  if (all != (match.p_scale > 0))
    match.notes.push_back(all ? "half quantized: the softmax is not, q, k and v are"
                              : "half quantized: the softmax is, q, k and v are not");
  const DType in = l.graph.value(match.q.base).type->dtype, out = l.graph.value(match.result).type->dtype;
  if (in != out)
    throw No{fmt::format("q is {} and the result {} (`octet fix-types --precision fp16` gives a model one float type)", in, out)};
  if (mask) match.causal = causal_mask(*mask, match.tokens);
  if (l.item_dims(match.result) != std::vector<int64_t>{match.tokens, match.heads * match.head_dim})
    throw No{"heads are not merged into [batch, tokens, width]"};
  return match;
}

}  // namespace

void find_attentions(Lowering& l) {
  for (NodeId id = 0; id < static_cast<NodeId>(l.graph.node_count()); ++id) {
    if (l.covered(id) || !l.graph.node(id).as<Softmax>()) continue;
    try {
      AttentionMatch match = match_softmax(l, id);
      const size_t index = l.attentions.size();
      l.head_inputs[match.q.base] = {index, 0};
      l.head_inputs[match.k.base] = {index, 1};
      l.head_inputs[match.v.base] = {index, 2};
      l.attentions.push_back(std::move(match));
    } catch (const No& no) {
      l.refuse(id, "attention not fused: " + no.reason);
    }
  }
}

bool match_attention(Lowering& l, NodeId anchor) {
  const auto found = std::find_if(l.attentions.begin(), l.attentions.end(), [&](const AttentionMatch& m) { return m.anchor == anchor; });
  if (found == l.attentions.end()) return l.refuse_as_consequence(anchor, "a product of two activations outside a fused attention"), false;
  const AttentionMatch& m = *found;
  if (!l.fuses(m) && m.q.scale.has_value() != (m.p_scale > 0))
    return l.refuse(anchor, "q, k, v and the softmax are not quantized alike, and attention is not fused"), false;
  plan::Attention op;
  const auto width = static_cast<uint32_t>(m.heads * m.head_dim);
  const auto input = [&](const HeadInput& in) {
    const Located at = l.require(in.base, l.graph.node(anchor).name);
    const plan::Buffer& buffer = l.plan.buffers[at.buffer];
    const auto stride = static_cast<uint32_t>(buffer.dims.back());
    // q, k and v of a merged projection lie side by side: column 0, width or 2 * width.
    const auto role = static_cast<uint32_t>(l.head_inputs.at(in.base).second);
    return plan::AttentionInput{at.buffer, stride == width ? 0 : role * width, stride, at.scale * in.factor};
  };
  op.q = input(m.q), op.k = input(m.k), op.v = input(m.v);
  op.tokens = static_cast<uint32_t>(m.tokens);
  op.heads = static_cast<uint32_t>(m.heads);
  op.head_dim = static_cast<uint32_t>(m.head_dim);
  op.causal = m.causal;
  if (m.mask != kNone) op.mask = l.require(m.mask, l.graph.node(anchor).name).buffer;
  op.score_scale = m.score_scale;
  op.p_scale = m.p_scale;
  std::vector<NodeId> nodes = m.nodes;
  const std::vector<int64_t> dims{m.tokens, m.heads * m.head_dim};
  if (m.output) {
    op.out = l.add_buffer(m.result, DType::e4m3, dims);
    op.out_scale = m.output->scale;
    l.place(m.result, {op.out, op.out_scale});
  } else {
    auto out = l.finish_output(m.result, dims);
    op.out = out.buffer;
    op.out_scale = out.scale;
    nodes.insert(nodes.end(), out.nodes.begin(), out.nodes.end());
  }
  if (l.fuses(m)) l.emit(l.graph.node(anchor).name, op, nodes, m.notes);
  else emit_attention_steps(l, m, op, nodes);
  if (m.again) requantize(l, m.result, m.again->scale);
  return true;
}

}  // namespace octet::lowering
