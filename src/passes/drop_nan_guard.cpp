// Where(IsNaN(p), 0, p) behind a softmax: writers guard rows whose every score is -inf. Where the mask, a constant, leaves at least
// one score in each row, no such row exists; a NaN that comes from the scores themselves then stays visible instead of turning to 0.
#include <cmath>

#include "ops/arithmetic.h"
#include "ops/softmax.h"
#include "ops/unary.h"
#include "ops/where.h"
#include "passes/pattern.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

// Whether every row of the mask has a finite element.
bool leaves_a_score(const HostTensor& mask) {
  const int64_t cols = mask.rank() == 0 ? 1 : mask.dims().back();
  for (int64_t row = 0; cols > 0 && row < mask.count() / cols; ++row) {
    bool any = false;
    for (int64_t col = 0; col < cols && !any; ++col) any = std::isfinite(mask.at(row * cols + col));
    if (!any) return false;
  }
  return true;
}

// What is added to the scores of `softmax`, if anything, is a constant that masks no row whole.
bool never_all_masked(const Graph& graph, const Node& softmax) {
  for (const Node* node = producer_before_casts(graph, softmax.inputs[0]);
       node && (node->as<Add>() || node->as<Mul>() || node->as<Div>());) {
    size_t side = 0;
    while (side < 2 && !graph.constant_of(node->inputs[side])) ++side;
    if (side == 2) return false;  // a mask that the graph computes
    if (!leaves_a_score(*graph.constant_of(node->inputs[side]))) return false;
    node = producer_before_casts(graph, node->inputs[1 - side]);
  }
  return true;
}

}  // namespace

int drop_nan_guard(Graph& graph, Notes& notes) {
  int rewrites = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    const Node& where = graph.node(id);
    if (where.dead || !where.as<Where>() || graph.is_output(where.outputs[0])) continue;
    const Node* test = graph.producer_of(where.inputs[0]);
    const Node* softmax = graph.producer_of(where.inputs[2]);
    if (!test || !test->as<IsNaN>() || test->inputs[0] != where.inputs[2] || !softmax || !softmax->as<Softmax>()) continue;
    if (scalar_of(graph, where.inputs[1]) != 0.0) continue;
    if (!never_all_masked(graph, *softmax)) {
      notes.push_back(fmt::format("`{}`: its mask may cover a whole row", where.name));
      continue;
    }
    graph.replace_uses(where.outputs[0], where.inputs[2]);
    graph.erase(id);
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
