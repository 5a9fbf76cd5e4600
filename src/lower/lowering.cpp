#include "lower/lowering.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "numeric/host_tensor.h"
#include "ops/shape.h"
#include "ops/unary.h"
#include "ops/where.h"

namespace octet::lowering {

Lowering::Lowering(const Graph& g) : graph(g), consumers_(ops::data_readers(g)), covered_(g.node_count(), false) {
  plan.name = g.name;
  for (NodeId id = 0; id < static_cast<NodeId>(g.node_count()); ++id)
    if (g.node(id).dead) cover(id);
}

const Node* Lowering::only_consumer(ValueId value, NodeId* id) const {
  const auto& list = consumers_[static_cast<size_t>(value)];
  if (list.size() != 1 || graph.is_output(value)) return nullptr;
  if (id) *id = list[0];
  return &graph.node(list[0]);
}

std::optional<float> Lowering::scalar_constant(ValueId value) const {
  const HostTensor* tensor = float_constant(value);
  if (!tensor || tensor->count() != 1) return std::nullopt;
  return static_cast<float>(tensor->at(0));
}

const HostTensor* Lowering::float_constant(ValueId value) const {
  const HostTensor* tensor = graph.constant_of(value);
  return tensor && is_float(tensor->dtype()) ? tensor : nullptr;
}

ValueId Lowering::behind_nan_guard(ValueId value, std::vector<NodeId>& nodes) const {
  const auto& list = consumers_[static_cast<size_t>(value)];
  if (list.size() != 2 || graph.is_output(value)) return kNone;
  for (const size_t first : {0u, 1u}) {
    const Node &test = graph.node(list[first]), &where = graph.node(list[1 - first]);
    if (!test.as<IsNaN>() || !where.as<Where>() || where.inputs[0] != test.outputs[0] || where.inputs[2] != value) continue;
    if (scalar_constant(where.inputs[1]) != 0.0f || !only_consumer(test.outputs[0])) continue;
    nodes.insert(nodes.end(), list.begin(), list.end());
    return where.outputs[0];
  }
  return kNone;
}

std::vector<int64_t> Lowering::item_dims(ValueId value) const {
  const auto& v = graph.value(value);
  OCTET_CHECK(v.type.has_value(), v.name);
  const Shape& shape = v.type->shape;
  std::vector<int64_t> dims;
  if (!shape.empty() && !shape[0].is_static() && shape[0].value != 1) dims.push_back(shape[0].value);  // 257*batch rows
  for (size_t i = 1; i < shape.size(); ++i) {
    if (!shape[i].is_static()) fail(Code::kUnsupported, "`{}` is {}: only the first axis may be dynamic", v.name, to_string(*v.type));
    dims.push_back(shape[i].value);
  }
  if (shape.empty() || shape[0].is_static())
    throw Error(Code::kUnsupported, fmt::format("`{}` is {}: its first axis is not the dynamic batch", v.name, to_string(*v.type)),
                "export the model with a dynamic batch axis");
  return dims;
}

std::optional<Quantized> Lowering::quantized(ValueId value) const {
  auto found = partly_quantized(value);
  const auto& list = consumers_[static_cast<size_t>(value)];
  const bool all = std::all_of(list.begin(), list.end(), [&](NodeId id) { return graph.node(id).as<QuantizeLinear>(); });
  return found && all && !graph.is_output(value) ? found : std::nullopt;
}

std::optional<Quantized> Lowering::partly_quantized(ValueId value) const {
  Quantized found;
  for (const NodeId id : consumers_[static_cast<size_t>(value)]) {
    const Node& q = graph.node(id);
    if (!q.as<QuantizeLinear>()) continue;
    const auto scale = scalar_constant(q.inputs[1]);
    const auto& type = graph.value(q.outputs[0]).type;
    if (!scale || !type || type->dtype != DType::e4m3 || graph.is_output(q.outputs[0])) return std::nullopt;
    if (!found.nodes.empty() && *scale != found.scale) return std::nullopt;
    found.scale = *scale;
    found.nodes.push_back(id);
    for (const NodeId use : consumers_[static_cast<size_t>(q.outputs[0])]) {
      const Node& dq = graph.node(use);
      if (!dq.as<DequantizeLinear>() || scalar_constant(dq.inputs[1]) != scale) return std::nullopt;
      found.nodes.push_back(use);
      found.values.push_back(dq.outputs[0]);
    }
  }
  return found.nodes.empty() ? std::nullopt : std::optional(found);
}

std::optional<Lowering::QuantizedWeight> Lowering::quantized_weight(ValueId value) const {
  const Node* dq = graph.producer_of(value);
  if (!dq || !dq->as<DequantizeLinear>()) return std::nullopt;
  const HostTensor *codes = graph.constant_of(dq->inputs[0]), *scale = graph.constant_of(dq->inputs[1]);
  if (!codes || !scale || codes->dtype() != DType::e4m3) return std::nullopt;
  return QuantizedWeight{codes, scale, producer_id(value)};
}

plan::Id Lowering::add_buffer(ValueId value, DType dtype, std::vector<int64_t> dims) {
  const bool output = graph.is_output(value);
  if (output && dtype != graph.value(value).type->dtype) fail(Code::kInternal, "output `{}` placed as {}", graph.value(value).name, dtype);
  plan.buffers.push_back({graph.value(value).name, dtype, std::move(dims), 0, static_cast<uint8_t>(output)});
  return static_cast<plan::Id>(plan.buffers.size() - 1);
}

plan::Id Lowering::add_weight(const std::string& name, HostTensor tensor) {
  if (const auto known = weights_.find(name); known != weights_.end()) return known->second;
  auto owner = std::make_shared<HostTensor>(std::move(tensor));
  plan.weights.push_back({name, owner->dtype(), owner->dims(), 0});
  plan.weight_bytes.push_back(owner->bytes());
  plan.storage.push_back(owner);
  return weights_[name] = static_cast<plan::Id>(plan.weights.size() - 1);
}

std::optional<Located> Lowering::locate(ValueId value) const {
  const auto found = located_.find(value);
  return found == located_.end() ? std::nullopt : std::optional(found->second);
}

std::string Lowering::reason_before(ValueId value) const {
  std::vector<ValueId> open{value};
  std::set<NodeId> seen;
  std::string nearest;
  for (size_t next = 0; next < open.size(); ++next) {
    const NodeId id = producer_id(open[next]);
    if (id == kNone || !seen.insert(id).second) continue;
    const Node& node = graph.node(id);
    if (const auto why = reasons_.find(id); why != reasons_.end()) {
      nearest = fmt::format(": `{}` ({}): {}", printable(node.name), node.op.name(), join(why->second, "; "));
      if (!consequences_.count(id)) return nearest;
    }
    for (const ValueId in : node.inputs)
      if (in != kNone) open.push_back(in);
  }
  return nearest;
}

Located Lowering::require(ValueId value, const std::string& who) const {
  if (const auto found = locate(value)) return *found;
  fail(Code::kUnsupported, "`{}` needs `{}`, which no step produces in that form{}", who, graph.value(value).name, reason_before(value));
}

Located Lowering::require_float(ValueId value, const std::string& who, const std::string& why) {
  const Node* dq = graph.producer_of(value);
  const NodeId q = dq && dq->as<DequantizeLinear>() ? producer_id(dq->inputs[0]) : kNone;
  Located in = locate(value).value_or(Located{});
  std::vector<NodeId> nodes;
  if (in.buffer == plan::kNoId) {
    const auto found = q == kNone ? std::nullopt : partly_quantized(graph.node(q).inputs[0]);
    if (!found || std::ranges::find(found->values, value) == found->values.end()) return require(value, who);
    in = {require(graph.node(q).inputs[0], who).buffer, found->scale};
    nodes = {q, producer_id(value)};
  }
  const plan::Buffer& from = plan.buffers[in.buffer];
  if (nodes.empty() && from.dtype != DType::e4m3) return in;
  const std::vector<int64_t> dims = from.dims;
  const plan::Id out = add_buffer(value, graph.value(value).type->dtype, dims);
  if (!nodes.empty()) place(value, {out, 1});  // codes stay where others read them
  plan::FakeQuantize op{in.buffer, out, 1, static_cast<uint32_t>(dims.back()), in.scale};
  for (size_t i = 0; i + 1 < dims.size(); ++i) op.rows *= static_cast<uint32_t>(dims[i]);
  emit(who + ".input", op, nodes, {why});
  return {op.out, 1};
}

void Lowering::emit(std::string name, plan::Operation op, const std::vector<NodeId>& nodes, std::vector<std::string> notes) {
  while (!step_names_.insert(name).second) name += fmt::format("#{}", plan.steps.size());
  plan.steps.push_back({std::move(name), std::move(op), std::move(notes)});
  step_nodes.push_back(nodes);
  for (const NodeId id : nodes) cover(id);
}

Lowering::Output Lowering::finish_output(ValueId value, std::vector<int64_t> dims) {
  if (auto q = quantized(value)) {
    const plan::Id id = add_buffer(value, DType::e4m3, std::move(dims));
    for (const ValueId dq : q->values) place(dq, {id, q->scale});
    return {id, q->scale, std::move(q->nodes), {}};
  }
  return {float_output(value, std::move(dims)), 1, {}, {}};
}

Lowering::Output Lowering::epilogue_output(ValueId value, std::vector<int64_t> dims, bool residual) {
  if (residual) return {float_output(value, std::move(dims)), 1, {}, {}};
  return finish_output(value, std::move(dims));
}

const HeadInput& Lowering::head_input(ValueId base) const {
  const auto [index, role] = head_inputs.at(base);
  const AttentionMatch& attention = attentions[index];
  return role == 0 ? attention.q : role == 1 ? attention.k : attention.v;
}

plan::Id Lowering::float_output(ValueId value, std::vector<int64_t> dims) {
  const plan::Id id = add_buffer(value, graph.value(value).type->dtype, std::move(dims));
  place(value, {id, 1});
  return id;
}

}  // namespace octet::lowering
