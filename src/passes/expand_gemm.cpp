// Gemm with a constant matrix is the MatMul that lowering knows, with its bias behind: Transpose where the writer stores [N, K].
// A quantized matrix keeps its DQ, in front of the Transpose.
#include "ops/arithmetic.h"
#include "ops/matmul.h"
#include "ops/quantize.h"
#include "ops/transpose.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

bool is_weight(const Graph& graph, ValueId value) {
  if (graph.constant_of(value)) return true;
  const Node* dq = graph.producer_of(value);
  return dq && dq->as<DequantizeLinear>();
}

}  // namespace

int expand_gemm(Graph& graph, Notes& notes) {
  int rewrites = 0;
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id) {
    const Node before = graph.node(id);  // adding nodes may move the others
    const auto* gemm = before.dead ? nullptr : before.as<Gemm>();
    if (!gemm || !is_weight(graph, before.inputs[1])) continue;
    const bool bias = before.inputs.size() > 2 && before.inputs[2] != kNone;
    if (gemm->transA != 0 || gemm->alpha != 1 || (bias && gemm->beta != 1)) {
      notes.push_back(fmt::format("`{}`: a Gemm with alpha, beta or a transposed first operand", before.name));
      continue;
    }
    ValueId weight = before.inputs[1];
    if (gemm->transB != 0) weight = graph.add(make_op(Transpose{{1, 0}}), {weight}, graph.value(weight).name + ".turned");
    if (!bias) {
      graph.node(id).op = make_op(MatMul{});
      graph.node(id).inputs = {before.inputs[0], weight};
    } else {
      const ValueId product = graph.add(make_op(MatMul{}), {before.inputs[0], weight}, {}, before.name);
      graph.node(graph.value(product).producer).source = before.source;
      graph.node(id).op = make_op(Add{});
      graph.node(id).inputs = {product, before.inputs[2]};
    }
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
