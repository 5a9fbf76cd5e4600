#include "quantize_graph.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/text.h"
#include "compile.h"
#include "frontends/weights.h"
#include "lower/lower.h"
#include "lower/lowering.h"
#include "ops/arithmetic.h"
#include "ops/gelu.h"
#include "ops/matmul.h"
#include "ops/quantize.h"
#include "ops/reshape.h"
#include "ops/transpose.h"
#include "ops/unary.h"
#include "quant/scale.h"

namespace octet {
namespace {

// x * sigmoid(alpha x), in the type of x.
void spell_out(Graph& graph, NodeId id) {
  const float alpha = graph.node(id).as<QuickGelu>()->alpha;
  const ValueId x = graph.node(id).inputs[0];
  const std::string name = graph.node(id).name;
  const ValueId factor = graph.add_constant(name + ".factor", from_f32(graph.value(x).type->dtype, {}, std::vector<float>{alpha}));
  const ValueId scaled = graph.add(make_op(Mul{}), {x, factor}, name + ".scaled", name + ".scale");
  const ValueId gate = graph.add(make_op(Sigmoid{}), {scaled}, name + ".gate", name + ".sigmoid");
  Node& node = graph.node(id);
  node.op = make_op(Mul{});
  node.inputs = {x, gate};
}

void refuse_fp8(const Graph& graph) {
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    const Node& node = graph.node(id);
    if (node.dead || (!node.as<QuantizeLinear>() && !node.as<DequantizeLinear>())) continue;
    throw Error(Code::kInvalid, fmt::format("the model is quantized already: {}", graph.label(id)), "quantize the file in its float type");
  }
}

void name_nodes(Graph& graph) {
  std::set<std::string> taken;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    if (node.name.empty()) node.name = fmt::format("{}_{}", node.op.name(), id);
    while (!taken.insert(node.name).second) node.name += fmt::format("#{}", id);
  }
}

bool is_linear(const Graph& graph, const Node& node) {
  const HostTensor* weight = node.as<MatMul>() ? graph.constant_of(node.inputs[1]) : nullptr;
  return weight && weight->rank() == 2 && is_float(weight->dtype());
}

// Puts Q and DQ into a graph. Values keep their names; what is new is called after its quantizer.
class Inserter {
 public:
  Inserter(Graph& graph, const ObserverByQuantizer& observers, const QuantizeOptions& options, QuantizedGraph& out)
      : graph_(graph), observers_(observers), options_(options), out_(out), consumers_(graph.consumers()) {}

  // Before linears: the output of an attention may be what a linear reads.
  void attention(const lowering::AttentionMatch& match);
  void linear(NodeId id);

 private:
  const Observer* observed(const std::string& quantizer) const {
    const auto found = observers_.find(quantizer);
    return found == observers_.end() ? nullptr : found->second;
  }
  DType dtype(ValueId id) const { return graph_.value(id).type->dtype; }
  HostTensor scales(const std::string& name, std::vector<int64_t> dims, DType type, const std::vector<float>& amax) const;
  ValueId quantize(ValueId x, DType type, float amax, const std::string& name);
  ValueId range_and_quantize(ValueId x, DType type, float factor, const std::string& quantizer);
  ValueId weight(ValueId id, const std::string& module);
  float take_factors(ValueId value);
  ValueId multiply(ValueId x, DType type, float factor, const std::string& name);

  Graph& graph_;
  const ObserverByQuantizer& observers_;
  const QuantizeOptions& options_;
  QuantizedGraph& out_;
  std::vector<std::vector<NodeId>> consumers_;  // of the values there were before any change
  std::map<ValueId, ValueId> quantized_;        // what a linear reads -> the same behind Q and DQ
  std::map<ValueId, ValueId> weights_;
  ValueId zero_ = kNone;
};

HostTensor Inserter::scales(const std::string& name, std::vector<int64_t> dims, DType type, const std::vector<float>& amax) const {
  std::vector<float> values;
  for (const float a : amax) {
    values.push_back(e4m3_scale(a));
    if (!(values.back() > 0) || !std::isfinite(values.back())) fail(Code::kInvalid, "{}: a range of {} has no scale in f16", name, a);
  }
  return from_f32(type, std::move(dims), values);
}

ValueId Inserter::quantize(ValueId x, DType type, float amax, const std::string& name) {
  if (zero_ == kNone) zero_ = graph_.add_constant("e4m3_zero", HostTensor(DType::e4m3, {}));
  const ValueId scale = graph_.add_constant(name + ".scale", scales(name, {}, type, {amax}));
  QuantizeLinear q;
  if (graph_.opset >= 23) q.precision = onnx_number(DType::f32);
  const ValueId codes = graph_.add(make_op(q), {x, scale, zero_}, name + ".codes", name + ".q");
  return graph_.add(make_op(DequantizeLinear{}), {codes, scale, zero_}, name + ".dq", name + ".dq");
}

// `factor`: what the tensor has that the observed one has not.
ValueId Inserter::range_and_quantize(ValueId x, DType type, float factor, const std::string& quantizer) {
  QuantizedTensor told = with_context([&] { return "choosing the range of " + quantizer; },
                                      [&] { return choose_activation_range(quantizer, *observed(quantizer), options_.method, type); });
  const float amax = told.amax * std::abs(factor);
  out_.tensors.push_back(std::move(told));
  return quantize(x, type, amax, quantizer);
}

ValueId Inserter::weight(ValueId id, const std::string& module) {
  if (const auto known = weights_.find(id); known != weights_.end()) return known->second;
  const HostTensor rows = transpose(*graph_.constant_of(id));
  const std::string name = module + ".weight_quantizer";
  WeightRanges chosen = with_context([&] { return "choosing the range of " + name; },
                                     [&] { return choose_weight_ranges(name, rows, options_.per_channel, options_.method); });
  const auto dims = options_.per_channel ? std::vector<int64_t>{chosen.told.ranges} : std::vector<int64_t>{};
  const HostTensor scale = scales(name, dims, rows.dtype(), chosen.ranges);
  const ValueId s = graph_.add_constant(name + ".scale", scale);
  const ValueId codes = graph_.add_constant(name + ".codes", quantize_transposed(rows, to_f32(scale)));
  const ValueId zero = graph_.add_constant(name + ".zero", HostTensor(DType::e4m3, dims));
  DequantizeLinear dq;
  dq.axis = 1;  // of [in, out]
  out_.tensors.push_back(std::move(chosen.told));
  return weights_[id] = graph_.add(make_op(dq), {codes, s, zero}, name + ".dq", name + ".dq");
}

void Inserter::linear(NodeId id) {
  const std::string module = graph_.node(id).name;
  const ValueId x = graph_.node(id).inputs[0];
  if (observed(module + ".input_quantizer") == nullptr) return out_.notes.push_back(module + ": no step computes it");
  if (!quantized_.contains(x)) quantized_[x] = range_and_quantize(x, dtype(x), 1, module + ".input_quantizer");
  graph_.node(id).inputs[1] = weight(graph_.node(id).inputs[1], module);
  graph_.node(id).inputs[0] = quantized_.at(x);
}

// Takes the constant factors out of the layout changes and products that end in `value`, as far as nothing else reads them; returns
// what they multiplied to.
float Inserter::take_factors(ValueId value) {
  float factor = 1;
  for (;;) {
    const NodeId id = graph_.value(value).producer;
    if (id == kNone || consumers_[static_cast<size_t>(value)].size() != 1 || graph_.is_output(value)) return factor;
    const Node& node = graph_.node(id);
    const auto constant = [&](size_t side) -> const HostTensor* {
      const HostTensor* c = node.inputs.size() == 2 ? graph_.constant_of(node.inputs[side]) : nullptr;
      return c && c->count() == 1 ? c : nullptr;
    };
    if (node.as<Transpose>() || node.as<Reshape>()) {
      value = node.inputs[0];
    } else if (node.as<Div>() && constant(1)) {
      factor /= static_cast<float>(constant(1)->at(0));
      graph_.erase(id);
      graph_.replace_uses(value, node.inputs[0]);
      value = node.inputs[0];
    } else if (node.as<Mul>() && (constant(0) || constant(1))) {
      const size_t side = constant(1) ? 1 : 0;
      factor *= static_cast<float>(constant(side)->at(0));
      graph_.erase(id);
      graph_.replace_uses(value, node.inputs[1 - side]);
      value = node.inputs[1 - side];
    } else {
      return factor;
    }
  }
}

ValueId Inserter::multiply(ValueId x, DType type, float factor, const std::string& name) {
  if (factor == 1) return x;
  const ValueId c = graph_.add_constant(name + ".factor", from_f32(type, {}, std::vector<float>{factor}));
  return graph_.add(make_op(Mul{}), {x, c}, name + ".scaled", name + ".scale");
}

void Inserter::attention(const lowering::AttentionMatch& match) {
  std::string module = graph_.node(match.anchor).name;
  if (module.ends_with(kProductSuffix)) module.resize(module.size() - kProductSuffix.size());
  for (const char* which : kAttentionQuantizers)
    if (observed(module + which) == nullptr) return out_.notes.push_back(module + ": no step computes this attention");
  const float all = match.q.mul * match.k.mul * match.score_scale;
  if (!(all > 0)) return out_.notes.push_back(fmt::format("{}: its scores are multiplied by {}", module, all));

  const auto operand = [&](NodeId product, size_t side) { return graph_.node(product).inputs[side]; };
  const DType type = dtype(operand(match.scores, 0));
  // The factor of the scores: in front of the FP8 product, half of it (its root) on either side.
  float scores_factor = 1;
  const ValueId scores = graph_.node(match.scores).outputs[0];
  for (const NodeId id : match.nodes) {
    const Node& node = graph_.node(id);
    if (!node.dead && (node.as<Mul>() || node.as<Div>()) && (node.inputs[0] == scores || node.inputs[1] == scores))
      scores_factor = take_factors(node.outputs[0]);
  }
  const float q_factor = take_factors(operand(match.scores, 0)), k_factor = take_factors(operand(match.scores, 1));
  const float root = std::sqrt(q_factor * k_factor * scores_factor);
  const auto put = [&](NodeId product, size_t side, float factor, float kept, const std::string& which) {
    const ValueId scaled = multiply(operand(product, side), type, factor, module + which);
    const ValueId x = range_and_quantize(scaled, type, factor * kept, module + which);
    graph_.node(product).inputs[side] = x;
  };
  put(match.scores, 0, root, match.q.mul / q_factor, kAttentionQuantizers[0]);
  put(match.scores, 1, root, match.k.mul / k_factor, kAttentionQuantizers[1]);
  put(match.anchor, 1, 1, match.v.mul, kAttentionQuantizers[2]);
  graph_.node(match.anchor).inputs[0] = quantize(operand(match.anchor, 0), type, 1, module + ".p");  // softmax lies in [0, 1]
  const ValueId product = graph_.node(match.anchor).outputs[0];
  const NodeId reader = consumers_[static_cast<size_t>(product)].at(0);  // the transpose that merges heads
  graph_.node(reader).inputs[0] = range_and_quantize(product, type, 1, module + kAttentionQuantizers[3]);
  quantized_[match.result] = match.result;
}

}  // namespace

Graph prepare_to_quantize(Graph graph, int opset) {
  OCTET_CHECK(opset >= kOldestFp8Opset, opset);
  refuse_fp8(graph);
  passes::run_pipeline(graph);
  const auto count = static_cast<NodeId>(graph.node_count());
  name_nodes(graph);
  for (NodeId id = 0; id < count; ++id)
    if (!graph.node(id).dead && graph.node(id).as<QuickGelu>()) spell_out(graph, id);
  graph.sort();
  graph.opset = opset;
  check_types(graph);
  return graph;
}

namespace {

// `nodes` and all that depends on them, by node id. Shapes are uncovered where only uncovered nodes read them, or these too: they are
// no reason to cut what else reads them.
std::vector<bool> behind(const Graph& graph, const std::vector<Uncovered>& nodes) {
  const auto computes = [&](const Uncovered& u) { return is_float(graph.value(graph.node(u.id).outputs.at(0)).type->dtype); };
  const bool shapes_alone = std::none_of(nodes.begin(), nodes.end(), computes);
  std::vector<bool> out(graph.node_count());
  for (const Uncovered& u : nodes)
    if (shapes_alone || computes(u)) out[static_cast<size_t>(u.id)] = true;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id)  // topological: producers come first
    for (const ValueId in : graph.node(id).inputs)
      if (const NodeId producer = in == kNone ? kNone : graph.value(in).producer; producer != kNone && out[static_cast<size_t>(producer)])
        out[static_cast<size_t>(id)] = true;
  return out;
}

// Takes `nodes` and what depends on them away: the floats that they read become outputs. Returns how many nodes went.
size_t cut(Graph& graph, const std::vector<bool>& gone) {
  const std::vector<ValueId> old = std::exchange(graph.outputs, {});
  const auto is_gone = [&](ValueId value) {
    const NodeId producer = graph.value(value).producer;
    return producer != kNone && gone[static_cast<size_t>(producer)];
  };
  std::set<ValueId> outputs;
  for (const ValueId value : old)
    if (!is_gone(value)) outputs.insert(value);
  size_t count = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    if (!gone[static_cast<size_t>(id)] || graph.node(id).dead) continue;
    ++count;
    for (const ValueId in : graph.node(id).inputs) {
      if (in == kNone || graph.value(in).producer == kNone || graph.constant_of(in) || is_gone(in)) continue;
      if (is_float(graph.value(in).type->dtype)) outputs.insert(in);
    }
    graph.erase(id);
  }
  graph.outputs.assign(outputs.begin(), outputs.end());
  const int dead = graph.remove_dead();  // what only fed what went
  graph.sort();
  return count + static_cast<size_t>(dead);
}

}  // namespace

Trunk compile_trunk(const Graph& prepared, std::shared_ptr<const Backend> backend) {
  Trunk trunk;
  Graph graph = prepared;
  passes::run_pipeline(graph);
  for (;;) {
    const std::vector<Uncovered> left = uncovered_nodes(graph);
    if (left.empty()) break;
    const auto gone = behind(graph, left);
    if (trunk.left.empty())
      for (const Uncovered& u : left)
        if (!u.why.empty()) trunk.left.push_back(fmt::format("`{}` ({}): {}", printable(u.node), u.op, u.why));
    trunk.nodes += cut(graph, gone);
    if (graph.outputs.empty()) lower(prepared, {});  // names every node and reason
    check_types(graph);
  }
  CompileOptions options;
  options.backend = std::move(backend);
  trunk.plan = compile(std::move(graph), options);
  return trunk;
}

QuantizedGraph quantize_graph(Graph prepared, std::span<const CalibrationSite> sites, const QuantizeOptions& options) {
  QuantizedGraph out;
  const auto observers = by_quantizer(sites);
  std::vector<lowering::AttentionMatch> attentions;
  if (options.recipe == QuantRecipe::kFp8) {
    lowering::Lowering found(prepared);
    lowering::find_attentions(found);
    attentions = std::move(found.attentions);
    for (const auto& [id, reasons] : found.reasons()) out.notes.push_back(prepared.node(id).name + ": " + join(reasons, "; "));
  }
  const auto count = static_cast<NodeId>(prepared.node_count());
  Inserter inserter(prepared, observers, options, out);
  for (const auto& match : attentions) inserter.attention(match);
  for (NodeId id = 0; id < count; ++id)
    if (!prepared.node(id).dead && is_linear(prepared, prepared.node(id))) inserter.linear(id);
  prepared.remove_dead();
  prepared.sort();
  check_types(prepared);
  out.graph = std::move(prepared);
  return out;
}

}  // namespace octet
