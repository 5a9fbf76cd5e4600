// Activations spelt out become one node: x sigmoid(1.702 x) is QuickGelu; x/2 (1 + erf(x / sqrt 2)) and
// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) are Gelu. The factors may stand in any order and grouping.
#include <cmath>
#include <numbers>

#include "ops/arithmetic.h"
#include "ops/gelu.h"
#include "ops/unary.h"
#include "passes/pattern.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

constexpr int kDepth = 3;  // of products inside products: x, the gate and 1/2 need two
constexpr double kQuick = 1.702, kCubic = 0.044715;

// A product as the fusion wants it: c * x^power * gate^gates. False when something else is a factor.
struct Product {
  ValueId x = kNone, gate = kNone;
  double c = 1;
  int power = 0, gates = 0;
};
bool collect(const Graph& graph, ValueId value, Product& product, int depth) {
  if (value == product.x) return ++product.power, true;
  if (value == product.gate) return ++product.gates, true;
  if (const auto c = scalar_of(graph, value)) return product.c *= *c, true;
  const Node* node = graph.producer_of(value);
  if (!node || depth == 0) return false;
  if (node->as<Pow>()) {
    const auto exponent = scalar_of(graph, node->inputs[1]);
    if (node->inputs[0] != product.x || !exponent || (*exponent != 2 && *exponent != 3)) return false;
    product.power += static_cast<int>(*exponent);
    return true;
  }
  if (node->as<Div>()) {
    const auto c = scalar_of(graph, node->inputs[1]);
    if (!c || *c == 0) return false;
    product.c /= *c;
    return collect(graph, node->inputs[0], product, depth - 1);
  }
  return node->as<Mul>() && collect(graph, node->inputs[0], product, depth - 1) && collect(graph, node->inputs[1], product, depth - 1);
}

// A value whose product with c * x is an activation.
struct Gate {
  ValueId value = kNone, x = kNone;
  double c = 1;
  Op op;
};

// x of u = sqrt(2/pi) (x + 0.044715 x^3); kNone for any other u.
ValueId tanh_input(const Graph& graph, ValueId u) {
  const auto scaled = as_scaled(graph, u);
  const double root = std::sqrt(2 / std::numbers::pi);
  const Node* sum = scaled && near(scaled->c, root) ? graph.producer_of(scaled->x) : nullptr;
  if (!sum || !sum->as<Add>()) return kNone;
  for (size_t side = 0; side < 2; ++side) {
    Product cubic;
    cubic.x = sum->inputs[side];
    if (collect(graph, sum->inputs[1 - side], cubic, kDepth) && cubic.power == 3 && near(cubic.c, kCubic)) return cubic.x;
  }
  return kNone;
}

std::optional<Gate> as_gate(const Graph& graph, ValueId value, Notes& notes) {
  const Node* node = graph.producer_of(value);
  if (!node) return std::nullopt;
  if (node->as<Sigmoid>()) {
    const auto scaled = as_scaled(graph, node->inputs[0]);
    if (scaled && near(scaled->c, kQuick)) return Gate{value, scaled->x, 1, make_op(QuickGelu{})};
    if (scaled) notes.push_back(fmt::format("`{}`: sigmoid gate with factor {}, not {}", node->name, scaled->c, kQuick));
    return std::nullopt;
  }
  const auto shifted = as_shifted(graph, value);
  const Node* curve = shifted && shifted->c == 1 ? graph.producer_of(shifted->x) : nullptr;
  if (curve && curve->as<Erf>()) {
    const auto scaled = as_scaled(graph, curve->inputs[0]);
    if (scaled && near(scaled->c, std::numbers::sqrt2 / 2)) return Gate{value, scaled->x, 0.5, make_op(Gelu{})};
  }
  if (curve && curve->as<Tanh>())
    if (const ValueId x = tanh_input(graph, curve->inputs[0]); x != kNone) return Gate{value, x, 0.5, make_op(Gelu{"tanh"})};
  return std::nullopt;
}

// The first gate among the factors of `value`.
std::optional<Gate> find_gate(const Graph& graph, ValueId value, int depth, Notes& notes) {
  if (auto gate = as_gate(graph, value, notes)) return gate;
  const Node* node = graph.producer_of(value);
  if (!node || depth == 0 || !(node->as<Mul>() || node->as<Div>())) return std::nullopt;
  for (size_t side = 0; side < (node->as<Mul>() ? 2u : 1u); ++side)
    if (auto gate = find_gate(graph, node->inputs[side], depth - 1, notes)) return gate;
  return std::nullopt;
}

}  // namespace

int fuse_gelu(Graph& graph, Notes& notes) {
  int rewrites = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    if (node.dead || !(node.as<Mul>() || node.as<Div>())) continue;
    const ValueId out = node.outputs[0];
    const auto gate = find_gate(graph, out, kDepth, notes);
    if (!gate) continue;
    Product product{gate->x, gate->value, 1, 0, 0};
    if (!collect(graph, out, product, kDepth) || product.power != 1 || product.gates != 1 || !near(product.c, gate->c)) continue;
    take_sources(graph, out, gate->x, node);
    node.op = gate->op;
    node.inputs = {gate->x};
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
