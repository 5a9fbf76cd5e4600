// x W [+ bias] [activation] [* constant] [+ residual] [Q]: one step. The projections q, k and v of one attention that read the same
// tensor become one step with three column ranges, written side by side.
#include <algorithm>
#include <array>
#include <cstring>

#include "lower/epilogue.h"
#include "lower/lowering.h"
#include "numeric/convert.h"
#include "ops/arithmetic.h"
#include "ops/matmul.h"

namespace octet::lowering {
namespace {

// One linear layer up to its epilogue, read from the graph without changing anything.
struct Linear : Epilogue {
  NodeId matmul = kNone;
  ValueId a = kNone;                         // value the product reads
  Located located;                           // where it lies
  const HostTensor* weight = nullptr;        // [K, N], e4m3 codes or a float type
  const HostTensor* weight_scale = nullptr;  // of codes: one element or [N]
  std::string weight_name;
  int64_t k() const { return weight->dims()[0]; }
  int64_t n() const { return weight->dims()[1]; }
};

std::string read_operands(const Lowering& l, NodeId id, Linear& linear) {
  const Node& node = l.graph.node(id);
  linear.matmul = id;
  linear.nodes.push_back(id);
  linear.a = node.inputs[0];
  if (const auto quantized = l.quantized_weight(node.inputs[1])) {
    linear.weight = quantized->codes;
    linear.weight_scale = quantized->scale;
    linear.weight_name = l.graph.value(l.graph.node(quantized->dq).inputs[0]).name;
    linear.nodes.push_back(quantized->dq);
  } else {
    linear.weight = l.float_constant(node.inputs[1]);
    linear.weight_name = l.graph.value(node.inputs[1]).name;
  }
  if (!linear.weight || linear.weight->rank() != 2) return "its second operand is not a constant matrix";
  const auto located = l.locate(linear.a);
  if (!located) return fmt::format("no step produces `{}` in a form it can read", l.graph.value(linear.a).name);
  linear.located = *located;
  const DType a = l.plan.buffers[located->buffer].dtype;
  if (a == DType::e4m3 && linear.weight->dtype() != DType::e4m3)
    return fmt::format("its input is quantized, its weight is {}: quantize both or neither", linear.weight->dtype());
  linear.result = node.outputs[0];
  linear.width = linear.n();
  return "";
}

// The linear whose result is `base`: [Add bias] <- MatMul.
std::optional<Linear> projection(const Lowering& l, ValueId base) {
  const Node* node = l.graph.producer_of(base);
  NodeId matmul = l.producer_id(base);
  if (node && node->as<Add>())
    for (const ValueId in : node->inputs)
      if (const Node* before = l.graph.producer_of(in); before && before->as<MatMul>()) matmul = l.producer_id(in);
  if (matmul == kNone || !l.graph.node(matmul).as<MatMul>()) return std::nullopt;
  Linear linear;
  if (!read_operands(l, matmul, linear).empty()) return std::nullopt;
  while (linear.result != base && extend(l, linear)) {}
  if (linear.result != base || linear.residual != kNone) return std::nullopt;
  return linear;
}

// [K, N] of the graph -> rows [N, K] of `rows`, in the type the step multiplies.
void append_rows(HostTensor& out, int64_t first, const HostTensor& weight) {
  const int64_t k = weight.dims()[0], n = weight.dims()[1];
  const auto size = static_cast<int64_t>(size_of(weight.dtype()));
  const std::byte* from = weight.bytes().data();
  std::byte* to = out.mutable_data() + first * k * size;
  constexpr int64_t kBlock = 32;  // square blocks keep both sides in cache
  for (int64_t i0 = 0; i0 < n; i0 += kBlock)
    for (int64_t j0 = 0; j0 < k; j0 += kBlock)
      for (int64_t i = i0; i < std::min(n, i0 + kBlock); ++i)
        for (int64_t j = j0; j < std::min(k, j0 + kBlock); ++j)
          std::memcpy(to + (i * k + j) * size, from + (j * n + i) * size, static_cast<size_t>(size));
}

// Codes as float weights: for a float activation there is no FP8 product to make. Rounds code * scale once.
HostTensor dequantize(const Linear& linear, DType dtype) {
  HostTensor out(dtype, linear.weight->dims());
  for (int64_t i = 0; i < out.count(); ++i) {
    const double scale = linear.weight_scale->at(linear.weight_scale->count() == 1 ? 0 : i % linear.n());
    out.set(i, linear.weight->at(i) * scale);
  }
  return out;
}

HostTensor stack(std::span<const Linear* const> linears, auto&& pick, DType dtype, int64_t width) {
  HostTensor all(dtype, {width});
  int64_t next = 0;
  for (const Linear* linear : linears)
    for (int64_t i = 0; i < linear->n(); ++i) all.set(next++, pick(*linear, i));
  return all;
}

std::string joined_name(std::span<const Linear* const> linears, auto&& pick) {
  std::string name = pick(*linears[0]);
  for (const Linear* linear : linears.subspan(1)) {
    const std::string other = pick(*linear);
    name += "+" + other.substr(other.find_last_of('.', other.size() - std::min<size_t>(other.size(), 8)) + 1);
  }
  return name;
}

// Weights, bias and scales of one or more linears side by side.
plan::Gemm gemm_of(Lowering& l, std::span<const Linear* const> linears, std::vector<std::string>& notes) {
  plan::Gemm op;
  const Linear& first = *linears[0];
  const DType a = l.plan.buffers[first.located.buffer].dtype;
  op.a = first.located.buffer;
  op.k = static_cast<uint32_t>(first.k());
  for (const Linear* linear : linears) op.n += static_cast<uint32_t>(linear->n());
  const auto dims = l.item_dims(first.a);
  op.rows = 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i) op.rows *= static_cast<uint32_t>(dims[i]);
  op.activation = first.activation;
  const bool codes = first.weight->dtype() == DType::e4m3 && a == DType::e4m3;
  HostTensor rows(codes ? DType::e4m3 : a, {op.n, op.k});
  bool by_channel = false, scaled_bias = false;
  uint32_t next = 0;
  for (const Linear* linear : linears) {
    const bool weight_only = linear->weight_scale && !codes;
    if (weight_only) notes.push_back(fmt::format("`{}`: weight in FP8, activation in {}: multiplied in {}", linear->weight_name, a, a));
    append_rows(rows, next, weight_only ? dequantize(*linear, a) : *linear->weight);
    const bool channel = codes && linear->weight_scale->count() > 1;
    by_channel |= channel || linear->factor;
    scaled_bias |= linear->factor_on_bias;
    plan::ColumnRange range{next, next + static_cast<uint32_t>(linear->n()), 1, linear->mul, 1};
    if (codes) range.alpha = linear->located.scale * (channel ? 1.0f : static_cast<float>(linear->weight_scale->at(0)));
    op.ranges.push_back(range);
    next = range.end;
  }
  op.weight = l.add_weight(joined_name(linears, [](const Linear& x) { return x.weight_name; }), std::move(rows));
  if (first.bias) {
    auto bias = stack(
        linears, [](const Linear& x, int64_t i) { return x.bias->at(i) * (x.factor_on_bias ? x.factor->at(i) : 1.0); },
        scaled_bias ? DType::f32 : first.bias->dtype(), op.n);
    const std::string name = joined_name(linears, [](const Linear& x) { return x.bias_name; });
    op.bias = l.add_weight(scaled_bias ? name + ".scaled" : name, std::move(bias));
  }
  if (by_channel) {
    const auto scale_of = [&](const Linear& x, int64_t i) {
      return (codes && x.weight_scale->count() > 1 ? x.weight_scale->at(i) : 1.0) * (x.factor ? x.factor->at(i) : 1.0);
    };
    auto scale = stack(linears, scale_of, DType::f32, op.n);
    op.channel_scale = l.add_weight(l.plan.weights[op.weight].name + ".channel_scale", std::move(scale));
  }
  return op;
}

// q, k and v of one attention, if they can be one step: same input, same kinds of weight and bias.
bool mergeable(const std::array<std::optional<Linear>, 3>& parts) {
  for (const auto& p : parts) {
    if (!p || p->a != parts[0]->a || p->activation != plan::Activation::kNone || p->n() != parts[0]->n()) return false;
    if (p->weight->dtype() != parts[0]->weight->dtype() || !p->bias != !parts[0]->bias) return false;
  }
  return parts[0]->matmul != parts[1]->matmul && parts[1]->matmul != parts[2]->matmul;
}

// A projection whose result only an attention reads: written in the form the attention wants, merged with its siblings if possible.
bool match_projection(Lowering& l, NodeId anchor, ValueId base) {
  const auto [index, role] = l.head_inputs.at(base);
  const AttentionMatch& attention = l.attentions[index];
  const std::array<const HeadInput*, 3> inputs{&attention.q, &attention.k, &attention.v};
  std::array<std::optional<Linear>, 3> parts{projection(l, attention.q.base), projection(l, attention.k.base),
                                             projection(l, attention.v.base)};
  std::vector<std::string> notes;
  std::vector<int> roles{0, 1, 2};
  if (!mergeable(parts)) {
    if (!parts[static_cast<size_t>(role)]) return l.refuse(anchor, "not a plain linear"), false;
    roles = {role};
    notes.push_back("q, k and v are separate steps: their inputs or weights differ in kind");
  }
  std::vector<const Linear*> linears;
  for (const int r : roles) linears.push_back(&*parts[static_cast<size_t>(r)]);
  plan::Gemm op = gemm_of(l, linears, notes);
  std::vector<NodeId> nodes;
  const bool fp8 = inputs[0]->scale.has_value();
  for (size_t i = 0; i < roles.size(); ++i) {
    const HeadInput& in = *inputs[static_cast<size_t>(roles[i])];
    op.ranges[i].mul *= in.mul;
    op.ranges[i].out_scale = in.scale.value_or(1);
    nodes.insert(nodes.end(), linears[i]->nodes.begin(), linears[i]->nodes.end());
  }
  const DType out = fp8 ? DType::e4m3 : l.graph.value(base).type->dtype;
  op.out = l.add_buffer(base, out, {attention.tokens, static_cast<int64_t>(op.n)});
  if (roles.size() == 3)
    l.plan.buffers[op.out].name = fmt::format("{1}{0}{2}{0}{3}", plan::kMerged, l.graph.value(inputs[0]->base).name,
                                              l.graph.value(inputs[1]->base).name, l.graph.value(inputs[2]->base).name);
  for (const int r : roles) l.place(inputs[static_cast<size_t>(r)]->base, {op.out, inputs[static_cast<size_t>(r)]->scale.value_or(1)});
  const std::string name = joined_name(linears, [&](const Linear& x) { return l.graph.node(x.matmul).name; });
  l.emit(name, op, nodes, notes);
  return true;
}

}  // namespace

bool match_gemm(Lowering& l, NodeId anchor) {
  Linear linear;
  quantize_operand(l, l.graph.node(anchor).inputs[0]);
  if (const std::string no = read_operands(l, anchor, linear); !no.empty()) {
    if (l.locate(linear.a)) l.refuse(anchor, no);
    else l.refuse_as_consequence(anchor, no);
    return false;
  }
  for (;;) {
    if (l.head_inputs.count(linear.result)) return match_projection(l, anchor, linear.result);
    if (!extend(l, linear)) break;
  }
  std::vector<std::string> notes;
  const Linear* one[] = {&linear};
  plan::Gemm op = gemm_of(l, one, notes);
  if (linear.residual != kNone) op.residual = l.require(linear.residual, l.graph.node(anchor).name).buffer;
  auto out = l.epilogue_output(linear.result, l.item_dims(linear.result), op.residual != plan::kNoId);
  op.out = out.buffer;
  op.ranges[0].out_scale = out.scale;
  linear.nodes.insert(linear.nodes.end(), out.nodes.begin(), out.nodes.end());
  l.emit(l.graph.node(anchor).name, op, linear.nodes, notes);
  return true;
}

}  // namespace octet::lowering
