// Attention, as writers from opset 23 on put it, becomes the products and the softmax that lowering fuses, Q/DQ around them or not.
#include <algorithm>
#include <limits>

#include "ops/arithmetic.h"
#include "ops/attention.h"
#include "ops/matmul.h"
#include "ops/reshape.h"
#include "ops/softmax.h"
#include "ops/transpose.h"
#include "ops/unary.h"
#include "ops/where.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

constexpr int64_t kLargestMask = int64_t{1} << 26;  // elements: 8192 tokens
constexpr double kHidden = -std::numeric_limits<double>::infinity();

// Adds nodes that stand for one Attention.
class Expansion {
 public:
  Expansion(Graph& graph, NodeId id) : graph_(graph), before_(graph.node(id)), op_(*before_.as<Attention>()) {}
  ValueId run();

 private:
  ValueId add(Op op, std::vector<ValueId> in, const std::string& name) {
    const ValueId out = graph_.add(std::move(op), std::move(in), {}, before_.name + "/" + name);
    Node& node = graph_.node(graph_.value(out).producer);
    node.source = before_.source;
    return out;
  }
  ValueId scalar(double value) {
    HostTensor tensor(dtype(), {});
    tensor.set(0, value);
    return graph_.add_constant("attention.constant", std::move(tensor));
  }
  ValueId ints(const std::vector<int64_t>& values) {
    const auto count = static_cast<int64_t>(values.size());
    return graph_.add_constant("attention.shape", HostTensor::of<int64_t>(DType::i64, {count}, values));
  }
  DType dtype() const { return graph_.value(before_.inputs[0]).type->dtype; }
  const Shape& shape(size_t i) const { return graph_.value(before_.inputs[i]).type->shape; }
  bool has_mask() const { return before_.inputs.size() > 3 && before_.inputs[3] != kNone; }
  bool flat() const { return shape(0).size() == 3; }
  // Input i as [B, heads, tokens, size].
  ValueId split(size_t i) {
    if (!flat()) return before_.inputs[i];
    const ValueId heads = add(make_op(Reshape{}), {before_.inputs[i], ints({0, 0, op_.q_num_heads, -1})}, "split");
    return add(make_op(Transpose{{0, 2, 1, 3}}), {heads}, "heads");
  }
  ValueId masked(ValueId scores);

  Graph& graph_;
  const Node before_;  // adding nodes may move the others
  const Attention op_;
};

// The scores with what hides keys added to them.
ValueId Expansion::masked(ValueId scores) {
  if (has_mask()) {
    ValueId mask = before_.inputs[3];
    if (graph_.value(mask).type->dtype == DType::boolean) mask = add(make_op(Where{}), {mask, scalar(0), scalar(kHidden)}, "hidden");
    scores = add(make_op(Add{}), {scores, mask}, "mask");
  }
  if (op_.is_causal == 0) return scores;
  const int64_t queries = shape(0)[flat() ? 1 : 2].value, keys = shape(1)[flat() ? 1 : 2].value;
  HostTensor later(dtype(), {queries, keys});
  for (int64_t i = 0; i < later.count(); ++i) later.set(i, i % keys > i / keys ? kHidden : 0);
  return add(make_op(Add{}), {scores, graph_.add_constant("attention.causal", std::move(later))}, "causal");
}

ValueId Expansion::run() {
  const ValueId q = split(0), k = split(1), v = split(2);
  const ValueId turned = add(make_op(Transpose{{0, 1, 3, 2}}), {k}, "turned");
  ValueId scores = add(make_op(MatMul{}), {q, turned}, "scores");
  const int64_t size = flat() ? shape(0)[2].value / op_.q_num_heads : shape(0)[3].value;
  scores = add(make_op(Mul{}), {scores, scalar(op_.scale_of(size))}, "scale");
  ValueId weights = add(make_op(Softmax{}), {masked(scores)}, "softmax");
  if (has_mask()) {  // may hide a row whole: zeros then
    const ValueId none = add(make_op(IsNaN{}), {weights}, "no_key");
    weights = add(make_op(Where{}), {none, scalar(0), weights}, "guard");
  }
  const ValueId out = add(make_op(MatMul{}), {weights, v}, "values");
  if (!flat()) return out;
  const ValueId turned_back = add(make_op(Transpose{{0, 2, 1, 3}}), {out}, "rows");
  return add(make_op(Reshape{}), {turned_back, ints({0, 0, -1})}, "merge");
}

// Why it cannot be written so; "" if it can.
std::string obstacle(const Graph& graph, const Node& node) {
  const auto* op = node.as<Attention>();
  if (op->softcap != 0) return "its scores are capped";
  const Shape &q = graph.value(node.inputs[0]).type->shape, &k = graph.value(node.inputs[1]).type->shape;
  if (q.size() == 3 ? op->q_num_heads != op->kv_num_heads : q[1] != k[1]) return "several heads share keys";
  const size_t rows = q.size() - 2;
  if (!q.back().is_static() || (op->is_causal != 0 && (!q[rows].is_static() || !k[rows].is_static()))) return "its size is not known";
  if (op->is_causal != 0 && q[rows].value > kLargestMask / std::max<int64_t>(k[rows].value, 1)) return "its causal mask is too large";
  const Shape* mask = node.inputs.size() > 3 && node.inputs[3] != kNone ? &graph.value(node.inputs[3]).type->shape : nullptr;
  if (mask && (mask->empty() || (mask->back() != Dim(1) && mask->back() != k[rows]))) return "its mask is shorter than its keys";
  return {};
}

}  // namespace

int expand_attention(Graph& graph, Notes& notes) {
  int rewrites = 0;
  const auto count = static_cast<NodeId>(graph.node_count());
  std::unordered_map<ValueId, ValueId> replacements;
  for (NodeId id = 0; id < count; ++id) {
    if (graph.node(id).dead || !graph.node(id).as<Attention>()) continue;
    if (const std::string why = obstacle(graph, graph.node(id)); !why.empty()) {
      notes.push_back(fmt::format("`{}`: an Attention left as it is: {}", graph.node(id).name, why));
      continue;
    }
    const ValueId old = graph.node(id).outputs[0];
    if (graph.is_output(old)) continue;
    replacements.emplace(old, Expansion(graph, id).run());
    graph.erase(id);
    ++rewrites;
  }
  graph.replace_uses(replacements);
  return rewrites;
}

}  // namespace octet::passes
