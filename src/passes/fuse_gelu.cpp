// x * sigmoid(1.702 x), spelt Mul, Sigmoid, Mul, becomes one QuickGelu.
#include <cmath>

#include "ops/arithmetic.h"
#include "ops/gelu.h"
#include "ops/unary.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

constexpr double kAlpha = 1.702;
constexpr double kTolerance = 1e-3;  // 1.702 in f16 is 1.7021484, in bf16 1.703125

// If `product` is Mul(x, c) with a scalar constant c near 1.702: x, else kNone.
ValueId scaled_input(const Graph& graph, const Node* product, Notes& notes) {
  if (!product || !product->as<Mul>()) return kNone;
  for (int side = 0; side < 2; ++side) {
    const HostTensor* c = graph.constant_of(product->inputs[static_cast<size_t>(side)]);
    if (!c || c->count() != 1) continue;
    if (std::abs(c->at(0) - kAlpha) <= kTolerance * kAlpha) return product->inputs[static_cast<size_t>(1 - side)];
    notes.push_back(fmt::format("`{}`: sigmoid gate with factor {}, not 1.702", product->name, c->at(0)));
  }
  return kNone;
}

}  // namespace

int fuse_gelu(Graph& graph, Notes& notes) {
  int rewrites = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    if (node.dead || !node.as<Mul>()) continue;
    for (int side = 0; side < 2; ++side) {
      const Node* gate = graph.producer_of(node.inputs[static_cast<size_t>(side)]);
      if (!gate || !gate->as<Sigmoid>()) continue;
      const Node* product = graph.producer_of(gate->inputs[0]);
      const ValueId x = scaled_input(graph, product, notes);
      if (x == kNone || x != node.inputs[static_cast<size_t>(1 - side)]) continue;
      node.source.insert(node.source.end(), gate->source.begin(), gate->source.end());
      node.source.insert(node.source.end(), product->source.begin(), product->source.end());
      node.op = make_op(QuickGelu{});
      node.inputs = {x};
      ++rewrites;
      break;
    }
  }
  return rewrites;
}

}  // namespace octet::passes
