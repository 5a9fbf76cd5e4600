// The interpreter: a walk in node order that frees every tensor after its last use.
#include "interp/interp.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "interp/run_node.h"

namespace octet {
namespace {

// The live tensors of one run, and how many uses of each are still to come (graph outputs count as one).
struct Values {
  std::vector<std::optional<HostTensor>> tensors;
  std::vector<int> uses;

  explicit Values(const Graph& graph) : tensors(graph.value_count()), uses(graph.value_count()) {
    for (size_t i = 0; i < graph.node_count(); ++i)
      if (const Node& node = graph.node(static_cast<NodeId>(i)); !node.dead)
        for (const ValueId id : node.inputs)
          if (id != kNone) ++uses.at(static_cast<size_t>(id));
    for (const ValueId id : graph.outputs) ++uses.at(static_cast<size_t>(id));
  }
  void release(ValueId id) {
    if (id != kNone && --uses[static_cast<size_t>(id)] == 0) tensors[static_cast<size_t>(id)].reset();
  }
};

const HostTensor* find(const Graph& graph, const Values& values, ValueId id) {
  if (id == kNone) return nullptr;
  if (const HostTensor* constant = graph.constant_of(id)) return constant;
  const auto& tensor = values.tensors[static_cast<size_t>(id)];
  if (!tensor)
    throw Error(Code::kInvalid, fmt::format("`{}` is read before any node gives it", printable(graph.value(id).name)),
                "put the nodes in topological order");
  return &*tensor;
}

// Checks a tensor against a declared type; `sizes` collects what the symbols stand for.
void check_input(const Value& value, const HostTensor& tensor, std::map<std::string, int64_t>& sizes) {
  if (!value.type) return;
  const auto refuse = [&] {
    fail(Code::kInvalid, "input `{}` is {}, and the graph takes {}", printable(value.name), describe(tensor), to_string(*value.type));
  };
  if (value.type->dtype != tensor.dtype() || value.type->shape.size() != tensor.dims().size()) refuse();
  for (size_t i = 0; i < tensor.dims().size(); ++i) {
    const Dim& dim = value.type->shape[i];
    const int64_t size = tensor.dims()[i];
    if (dim.is_static() ? size != dim.value : dim.value < 1 || size % dim.value != 0) refuse();
    if (!dim.is_static() && sizes.try_emplace(dim.symbol, size / dim.value).first->second != size / dim.value) refuse();
  }
}

Values bind_inputs(const Graph& graph, std::span<const HostTensor> inputs) {
  if (inputs.size() != graph.inputs.size())
    fail(Code::kInvalid, "graph `{}` has {} inputs, and {} tensors are given", printable(graph.name), graph.inputs.size(), inputs.size());
  Values values(graph);
  std::map<std::string, int64_t> sizes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    check_input(graph.value(graph.inputs[i]), inputs[i], sizes);
    if (values.uses[static_cast<size_t>(graph.inputs[i])] > 0) values.tensors[static_cast<size_t>(graph.inputs[i])] = inputs[i];
  }
  return values;
}

void run(const Graph& graph, const Node& node, Values& values, const InterpOptions& options) {
  std::vector<const HostTensor*> in;
  for (const ValueId id : node.inputs) in.push_back(find(graph, values, id));
  std::vector<HostTensor> out = run_node(node, in, graph.opset);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId id = node.outputs[i];
    if (id == kNone) continue;
    if (options.on_value) options.on_value(id, out[i]);
    if (values.uses[static_cast<size_t>(id)] > 0) values.tensors[static_cast<size_t>(id)] = std::move(out[i]);
  }
  for (const ValueId id : node.inputs) values.release(id);
}

}  // namespace

std::vector<HostTensor> interpret(const Graph& graph, std::span<const HostTensor> inputs, const InterpOptions& options) {
  Values values = bind_inputs(graph, inputs);
  for (size_t i = 0; i < graph.node_count(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (!graph.node(id).dead)
      with_context([&] { return "running " + graph.label(id); }, [&] { run(graph, graph.node(id), values, options); });
  }
  std::vector<HostTensor> out;
  for (const ValueId id : graph.outputs) out.push_back(*find(graph, values, id));
  return out;
}

}  // namespace octet
