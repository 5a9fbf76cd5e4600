// (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias, spelt out over the last axis, becomes one LayerNormalization.
// Casts in between are the writer's wider statistics, which that operator has anyway.
#include "ops/arithmetic.h"
#include "ops/layer_normalization.h"
#include "ops/reduce.h"
#include "ops/shape.h"
#include "ops/unary.h"
#include "passes/pattern.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

using Consumers = std::vector<std::vector<NodeId>>;

// The x of mean(x) over the last axis, which stays as one of size 1; kNone otherwise.
ValueId mean_input(const Graph& graph, const Node* node) {
  const auto* mean = node ? node->as<ReduceMean>() : nullptr;
  if (!mean || mean->keepdims == 0) return kNone;
  const auto rank = static_cast<int64_t>(graph.value(node->inputs[0]).type->shape.size());
  std::vector<int64_t> axes = mean->axes;
  if (const HostTensor* given = node->inputs.size() > 1 ? graph.constant_of(node->inputs[1]) : nullptr)
    for (int64_t i = 0; i < given->count(); ++i) axes.push_back(given->at_int(i));
  return axes.size() == 1 && (axes[0] == -1 || axes[0] == rank - 1) ? node->inputs[0] : kNone;
}

// x of x - mean(x).
ValueId centred_input(const Graph& graph, ValueId value) {
  const Node* sub = producer_before_casts(graph, value);
  if (!sub || !sub->as<Sub>()) return kNone;
  const ValueId mean = mean_input(graph, producer_before_casts(graph, sub->inputs[1]));
  const ValueId x = before_casts(graph, sub->inputs[0]);
  return mean != kNone && before_casts(graph, mean) == x ? x : kNone;
}

// Whether `value` is the mean of the squares of `x` less its mean.
bool is_variance(const Graph& graph, ValueId value, ValueId x) {
  const ValueId squared = mean_input(graph, producer_before_casts(graph, value));
  const Node* square = squared == kNone ? nullptr : producer_before_casts(graph, squared);
  if (!square || square->inputs.size() != 2 || centred_input(graph, square->inputs[0]) != x) return false;
  if (square->as<Pow>()) return scalar_of(graph, square->inputs[1]) == 2.0;
  return square->as<Mul>() && centred_input(graph, square->inputs[1]) == x;
}

// The epsilon of sqrt(variance + epsilon), if `value` is that.
std::optional<double> deviation_epsilon(const Graph& graph, ValueId value, ValueId x) {
  const Node* root = producer_before_casts(graph, value);
  if (!root) return std::nullopt;
  const bool power = root->as<Pow>() && scalar_of(graph, root->inputs[1]) == 0.5;
  if (!power && !root->as<Sqrt>()) return std::nullopt;
  const auto sum = as_shifted(graph, before_casts(graph, root->inputs[0]));
  return sum && is_variance(graph, sum->x, x) ? std::optional(sum->c) : std::nullopt;
}

struct Match {
  ValueId x = kNone;
  double epsilon = 0;
};
// (x - mean) / deviation, or times its reciprocal.
std::optional<Match> normalised(const Graph& graph, const Node& node) {
  if (!node.as<Div>() && !node.as<Mul>()) return std::nullopt;
  for (size_t side = 0; side < (node.as<Div>() ? 1u : 2u); ++side) {
    const ValueId x = centred_input(graph, node.inputs[side]);
    if (x == kNone) continue;
    ValueId deviation = node.inputs[1 - side];
    if (node.as<Mul>()) {
      const Node* inverse = producer_before_casts(graph, deviation);
      const bool one_over = inverse && inverse->as<Div>() && scalar_of(graph, inverse->inputs[0]) == 1.0;
      if (!inverse || !(inverse->as<Reciprocal>() || one_over)) continue;
      deviation = inverse->inputs[one_over ? 1 : 0];
    }
    if (const auto epsilon = deviation_epsilon(graph, deviation, x)) return Match{x, *epsilon};
  }
  return std::nullopt;
}

// `constant` as a vector of `width` elements of `dtype`; nullopt where that would change a value.
std::optional<HostTensor> vector_of(const HostTensor* constant, int64_t width, DType dtype) {
  if (!constant || constant->count() != width || constant->rank() == 0 || constant->dims().back() != width) return std::nullopt;
  HostTensor out(dtype, {width});
  for (int64_t i = 0; i < width; ++i) {
    out.set(i, constant->at(i));
    if (out.at(i) != constant->at(i)) return std::nullopt;
  }
  return out;
}

// Steps from node `at` over Casts and one `Op` with a constant vector, which becomes an operand of the norm; kNone and no step if
// that does not follow.
template <class Op>
ValueId take_vector(Graph& graph, const Consumers& consumers, NodeId& at, const TensorType& type) {
  NodeId next = at;
  const Node* node = only_reader(graph, consumers, graph.node(at).outputs[0], &next);
  while (node && before_casts(graph, node->outputs[0]) != node->outputs[0]) node = only_reader(graph, consumers, node->outputs[0], &next);
  if (!node || !node->as<Op>()) return kNone;
  const int64_t width = type.shape.back().value;
  for (const ValueId in : node->inputs) {
    const auto vector = vector_of(graph.constant_of(in), width, type.dtype);
    if (!vector) continue;
    at = next;
    const bool as_is = graph.value(in).type == TensorType{type.dtype, {width}};
    return as_is ? in : graph.add_constant(graph.value(in).name, *vector);
  }
  return kNone;
}

ValueId ones(Graph& graph, const TensorType& type) {
  HostTensor scale(type.dtype, {type.shape.back().value});
  for (int64_t i = 0; i < scale.count(); ++i) scale.set(i, 1);
  return graph.add_constant("ones", std::move(scale));
}

// The norm that begins at node `id` takes the place of all nodes up to its last one; false if their result is of another type.
bool fuse(Graph& graph, const Consumers& consumers, NodeId id, const Match& match) {
  const TensorType type = *graph.value(match.x).type;
  NodeId last = id;
  const ValueId scale = take_vector<Mul>(graph, consumers, last, type);
  const ValueId bias = scale == kNone ? kNone : take_vector<Add>(graph, consumers, last, type);
  // A wider result is narrowed again by the Cast that reads it.
  if (graph.value(graph.node(last).outputs[0]).type != type) only_reader(graph, consumers, graph.node(last).outputs[0], &last);
  const ValueId out = graph.node(last).outputs[0];
  if (graph.value(out).type != type) return false;
  std::vector<ValueId> inputs{match.x, scale == kNone ? ones(graph, type) : scale};
  if (bias != kNone) inputs.push_back(bias);
  take_sources(graph, out, match.x, graph.node(last));
  graph.node(last).op = make_op(LayerNormalization{-1, static_cast<float>(match.epsilon), 1});
  graph.node(last).inputs = std::move(inputs);
  return true;
}

}  // namespace

int fuse_layer_norm(Graph& graph, Notes& notes) {
  int rewrites = 0;
  const Consumers consumers = ops::data_readers(graph);
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id) {
    if (graph.node(id).dead) continue;
    const auto match = normalised(graph, graph.node(id));
    if (!match) continue;
    const Shape& shape = graph.value(match->x).type->shape;
    if (!shape.empty() && shape.back().is_static() && fuse(graph, consumers, id, *match)) ++rewrites;
    else notes.push_back(fmt::format("`{}`: a layer norm whose result is of another type than its input", graph.node(id).name));
  }
  return rewrites;
}

}  // namespace octet::passes
