// A gather of every element in order is a reshape. Writers index masks by ranges (vmap in Hugging Face's models): element (b, t) at
// b * T + t, or by the pair of both. What an index says along the axes of its result is kept as one linear form.
#include <algorithm>

#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/concat.h"
#include "ops/constant.h"
#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/reshape.h"
#include "passes/pattern.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

// offset + sum over axes of steps[axis] * position; steps of axes of size 1 are 0.
struct Linear {
  int64_t offset = 0;
  std::vector<int64_t> steps;
};

const Shape& shape_of(const Graph& graph, ValueId value) { return graph.value(value).type->shape; }

// Larger numbers are not followed, so that products of two do not overflow.
constexpr int64_t kLargest = int64_t{1} << 31;

bool is_small(int64_t value) { return value >= -kLargest && value <= kLargest; }
std::optional<Linear> small(Linear form) {
  return is_small(form.offset) && std::all_of(form.steps.begin(), form.steps.end(), is_small) ? std::optional(std::move(form))
                                                                                              : std::nullopt;
}

// A constant whose elements are such a form.
std::optional<Linear> of_constant(const HostTensor& tensor) {
  if (!is_integer(tensor.dtype()) || tensor.count() == 0) return std::nullopt;
  const std::vector<int64_t> strides = ops::strides_of(tensor.dims()), values = ops::integers(tensor);
  if (!std::all_of(values.begin(), values.end(), is_small)) return std::nullopt;
  Linear form{values[0], std::vector<int64_t>(tensor.dims().size())};
  for (size_t axis = 0; axis < form.steps.size(); ++axis)
    if (tensor.dims()[axis] > 1) form.steps[axis] = values[static_cast<size_t>(strides[axis])] - values[0];
  for (int64_t i = 0; i < tensor.count(); ++i) {
    int64_t expected = form.offset;
    for (size_t axis = 0; axis < form.steps.size(); ++axis) expected += i / strides[axis] % tensor.dims()[axis] * form.steps[axis];
    if (values[static_cast<size_t>(i)] != expected) return std::nullopt;
  }
  return form;
}

// The form in another shape that differs by axes of size 1; nullopt if it differs otherwise.
std::optional<Linear> reshaped(const Linear& form, const Shape& from, const Shape& to) {
  Linear out{form.offset, std::vector<int64_t>(to.size())};
  size_t at = 0;
  for (size_t axis = 0; axis < to.size(); ++axis) {
    if (to[axis] == Dim(1)) continue;
    while (at < from.size() && from[at] == Dim(1)) ++at;
    if (at == from.size() || from[at] != to[axis]) return std::nullopt;
    out.steps[axis] = form.steps[at++];
  }
  while (at < from.size() && from[at] == Dim(1)) ++at;
  return at == from.size() ? std::optional(out) : std::nullopt;
}

// The form broadcast to `rank` axes.
Linear widened(Linear form, size_t rank) {
  form.steps.insert(form.steps.begin(), rank - form.steps.size(), 0);
  return form;
}

std::optional<Linear> linear_of(const Graph& graph, ValueId value, int depth = 16);

std::optional<Linear> of_node(const Graph& graph, const Node& node, int depth) {
  const auto input = [&](size_t i) { return linear_of(graph, node.inputs[i], depth - 1); };
  const size_t rank = shape_of(graph, node.outputs[0]).size();
  if (node.as<RangeOp>()) {
    if (scalar_of(graph, node.inputs[0]) != 0.0 || scalar_of(graph, node.inputs[2]) != 1.0) return std::nullopt;
    return Linear{0, {1}};
  }
  if (node.as<Cast>() || node.as<Expand>()) {
    const auto form = is_integer(graph.value(node.outputs[0]).type->dtype) ? input(0) : std::nullopt;
    return form ? std::optional(widened(*form, rank)) : std::nullopt;
  }
  if (node.as<Unsqueeze>() || node.as<Squeeze>() || node.as<Reshape>()) {
    const auto form = input(0);
    return form ? reshaped(*form, shape_of(graph, node.inputs[0]), shape_of(graph, node.outputs[0])) : std::nullopt;
  }
  if (!node.as<Add>() && !node.as<Mul>()) return std::nullopt;
  auto a = input(0), b = input(1);
  if (!a || !b) return std::nullopt;
  *a = widened(*a, rank), *b = widened(*b, rank);
  const auto varies = [](const Linear& form) {
    return std::any_of(form.steps.begin(), form.steps.end(), [](int64_t s) { return s != 0; });
  };
  if (node.as<Mul>()) {
    if (varies(*a) && varies(*b)) return std::nullopt;
    if (varies(*b)) std::swap(a, b);
    a->offset *= b->offset;
    for (int64_t& step : a->steps) step *= b->offset;
    return small(*a);
  }
  a->offset += b->offset;
  for (size_t i = 0; i < rank; ++i) a->steps[i] += b->steps[i];
  return small(*a);
}

std::optional<Linear> linear_of(const Graph& graph, ValueId value, int depth) {
  if (const HostTensor* constant = graph.constant_of(value)) return of_constant(*constant);
  const Node* node = graph.producer_of(value);
  return node && depth > 0 && graph.value(value).type ? of_node(graph, *node, depth) : std::nullopt;
}

// The index into flattened data of a GatherND whose indices are a Concat of one index for each axis.
std::optional<Linear> flat_index(const Graph& graph, const Node& node, const Shape& data) {
  const Node* concat = graph.producer_of(node.inputs[1]);
  const auto* op = concat ? concat->as<Concat>() : nullptr;
  const size_t rank = shape_of(graph, node.inputs[1]).size();
  if (!op || node.as<GatherND>()->batch_dims != 0 || concat->inputs.size() != data.size()) return std::nullopt;
  if (op->axis != -1 && op->axis != static_cast<int64_t>(rank) - 1) return std::nullopt;
  Linear sum{0, std::vector<int64_t>(rank - 1)};
  int64_t stride = 1;
  for (size_t axis = data.size(); axis-- > 0;) {
    const auto part = linear_of(graph, concat->inputs[axis]);
    if (!part || shape_of(graph, concat->inputs[axis]).back() != Dim(1)) return std::nullopt;
    sum.offset += part->offset * stride;
    for (size_t i = 0; i + 1 < rank; ++i) sum.steps[i] += part->steps[i] * stride;
    if (!small(sum) || (axis > 0 && (!data[axis].is_static() || !is_small(stride *= data[axis].value)))) return std::nullopt;
  }
  return sum;
}

// Whether the form counts through `shape` in row-major order.
bool counts(const Linear& form, const Shape& shape) {
  int64_t step = 1;
  bool known = true;
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] == Dim(1)) continue;
    if (!known || form.steps[axis] != step) return false;
    known = shape[axis].is_static();
    step *= known ? shape[axis].value : 1;
  }
  return form.offset == 0;
}

// Whether a Gather or GatherND takes all of its data, in order.
bool takes_all(const Graph& graph, const Node& node) {
  if (!node.as<Gather>() && !node.as<GatherND>()) return false;
  const Shape &data = shape_of(graph, node.inputs[0]), &index = shape_of(graph, node.inputs[1]);
  if (data.empty() || graph.constant_of(node.inputs[0])) return false;
  if (node.as<GatherND>()) {
    const auto form = flat_index(graph, node, data);
    const Shape picked(index.begin(), index.end() - 1);
    return form && counts(*form, picked) && ops::product_dim(picked) == ops::product_dim(data);
  }
  const int64_t axis = node.as<Gather>()->axis;
  if (axis != 0 && axis != -static_cast<int64_t>(data.size())) return false;
  const auto form = linear_of(graph, node.inputs[1]);
  return form && counts(*form, index) && ops::product_dim(index) == data[0];
}

// The shape operand of a Reshape to `shape`: one symbol at most.
std::optional<std::vector<int64_t>> target(const Shape& shape) {
  std::vector<int64_t> dims;
  for (const Dim& dim : shape) dims.push_back(dim.is_static() ? dim.value : -1);
  const bool zero = std::count(dims.begin(), dims.end(), 0) > 0;
  return !zero && std::count(dims.begin(), dims.end(), -1) <= 1 ? std::optional(dims) : std::nullopt;
}

}  // namespace

int gather_all(Graph& graph, Notes&) {
  int rewrites = 0;
  const auto count = static_cast<NodeId>(graph.node_count());
  for (NodeId id = 0; id < count; ++id) {
    if (graph.node(id).dead || !takes_all(graph, graph.node(id))) continue;
    const auto dims = target(shape_of(graph, graph.node(id).outputs[0]));
    if (!dims) continue;
    const auto rank = static_cast<int64_t>(dims->size());
    const ValueId shape = graph.add_constant("all.shape", HostTensor::of<int64_t>(DType::i64, {rank}, *dims));
    Node& node = graph.node(id);
    node.op = make_op(Reshape{});
    node.inputs = {node.inputs[0], shape};
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
