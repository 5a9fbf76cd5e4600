#include "passes/pattern.h"

#include <cmath>
#include <set>

#include "ops/arithmetic.h"
#include "ops/cast.h"

namespace octet::passes {
namespace {

constexpr double kTolerance = 1e-4;  // what writers cut off: 1.414, 0.7071, 0.7979

double rounded(DType dtype, double value) {
  HostTensor tensor(dtype, {1});
  tensor.set(0, value);
  return tensor.at(0);
}

bool is_float_cast(const Graph& graph, const Node& node) {
  const auto &in = graph.value(node.inputs[0]).type, &out = graph.value(node.outputs[0]).type;
  return node.as<Cast>() && in && out && is_float(in->dtype) && is_float(out->dtype);
}

}  // namespace

std::optional<double> scalar_of(const Graph& graph, ValueId value) {
  const HostTensor* tensor = graph.constant_of(value);
  if (!tensor || tensor->count() != 1) return std::nullopt;
  return is_integer(tensor->dtype()) ? static_cast<double>(tensor->at_int(0)) : tensor->at(0);
}

ValueId before_casts(const Graph& graph, ValueId value) {
  for (const Node* node = graph.producer_of(value); node && is_float_cast(graph, *node); node = graph.producer_of(value))
    value = node->inputs[0];
  return value;
}

const Node* producer_before_casts(const Graph& graph, ValueId value) { return graph.producer_of(before_casts(graph, value)); }

std::optional<Factor> as_scaled(const Graph& graph, ValueId value) {
  const Node* node = graph.producer_of(value);
  if (!node) return std::nullopt;
  if (node->as<Div>()) {
    const auto c = scalar_of(graph, node->inputs[1]);
    return c && *c != 0 ? std::optional(Factor{node->inputs[0], 1 / *c}) : std::nullopt;
  }
  if (!node->as<Mul>()) return std::nullopt;
  for (size_t side = 0; side < 2; ++side)
    if (const auto c = scalar_of(graph, node->inputs[side])) return Factor{node->inputs[1 - side], *c};
  return std::nullopt;
}

std::optional<Factor> as_shifted(const Graph& graph, ValueId value) {
  const Node* node = graph.producer_of(value);
  if (!node || !node->as<Add>()) return std::nullopt;
  for (size_t side = 0; side < 2; ++side)
    if (const auto c = scalar_of(graph, node->inputs[side])) return Factor{node->inputs[1 - side], *c};
  return std::nullopt;
}

bool near(double value, double wanted) {
  const auto close = [&](double target) { return std::abs(value - target) <= kTolerance * std::abs(target); };
  if (close(wanted)) return true;
  for (const DType dtype : {DType::f16, DType::bf16})
    if (close(rounded(dtype, wanted)) || close(1 / rounded(dtype, 1 / wanted))) return true;
  return false;
}

const Node* only_reader(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers, ValueId value, NodeId* id) {
  const auto& readers = consumers[static_cast<size_t>(value)];
  if (readers.size() != 1 || graph.is_output(value)) return nullptr;
  *id = readers[0];
  return &graph.node(readers[0]);
}

void take_sources(const Graph& graph, ValueId value, ValueId x, Node& into) {
  std::vector<ValueId> open{value};
  std::set<const Node*> seen{&into};
  for (bool first = true; !open.empty(); first = false) {
    const ValueId at = open.back();
    open.pop_back();
    const Node* node = at == x || at == kNone ? nullptr : graph.producer_of(at);
    if (!node || (!seen.insert(node).second && !first)) continue;
    if (node != &into) into.source.insert(into.source.end(), node->source.begin(), node->source.end());
    open.insert(open.end(), node->inputs.begin(), node->inputs.end());
  }
}

}  // namespace octet::passes
