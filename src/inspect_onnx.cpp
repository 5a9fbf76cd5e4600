// name, producer, opset, metadata, inputs, outputs, nodes, ops {MatMul: 49}, constants: Storage,
// quantization {activation_q, activation_dq, weight_q, weight_dq, sites: [{tensor, dtype, scale, consumers: ["MatMul[0]"]}]},
// type_violations (their number; `octet check` lists them).
#include <set>

#include "compile.h"
#include "inspect.h"
#include "ops/quantize.h"

namespace octet {
namespace {

Json dims_of(const Shape& shape) {
  Json dims = Json::array();
  for (const Dim& dim : shape) dim.is_static() ? dims.push_back(dim.value) : dims.push_back(to_string(dim));
  return dims;
}

Json tensors_of(const Graph& graph, const std::vector<ValueId>& ids) {
  Json out = Json::array();
  for (const ValueId id : ids) {
    const Value& value = graph.value(id);
    Json entry{{"name", value.name}, {"dtype", nullptr}, {"dims", nullptr}};  // null: a type that inference could not find
    if (value.type) entry["dtype"] = name_of(value.type->dtype), entry["dims"] = dims_of(value.type->shape);
    out.push_back(std::move(entry));
  }
  return out;
}

Json constants_of(const Graph& graph) {
  StorageCount storage;
  for (size_t id = 0; id < graph.value_count(); ++id)
    if (const HostTensor* tensor = graph.constant_of(static_cast<ValueId>(id))) storage.add(tensor->dtype(), tensor->count());
  return storage.to_json();
}

// A constant, or what a Q makes of one.
bool is_weight(const Graph& graph, ValueId id) {
  const Node* node = graph.producer_of(id);
  return graph.constant_of(id) != nullptr ||
         (node != nullptr && node->as<QuantizeLinear>() != nullptr && graph.constant_of(node->inputs[0]) != nullptr);
}

class Quantization {
 public:
  explicit Quantization(const Graph& graph) : graph_(graph), consumers_(graph.consumers()) {
    for (size_t id = 0; id < graph.node_count(); ++id) {
      const Node& node = graph.node(static_cast<NodeId>(id));
      if (node.dead || node.inputs.empty()) continue;
      if (node.as<QuantizeLinear>()) add_quantize(node);
      if (node.as<DequantizeLinear>()) ++(is_weight(graph, node.inputs[0]) ? weight_dq_ : activation_dq_);
    }
  }
  Json to_json() const {
    return {{"activation_q", activation_q_},
            {"activation_dq", activation_dq_},
            {"weight_q", weight_q_},
            {"weight_dq", weight_dq_},
            {"sites", sites_}};
  }

 private:
  void add_quantize(const Node& node) {
    if (is_weight(graph_, node.inputs[0])) {
      ++weight_q_;
      return;
    }
    ++activation_q_;
    const HostTensor* scale = node.inputs.size() > 1 ? graph_.constant_of(node.inputs[1]) : nullptr;
    const Value& codes = graph_.value(node.outputs[0]);
    Json site{
        {"tensor", graph_.value(node.inputs[0]).name}, {"dtype", nullptr}, {"scale", nullptr}, {"consumers", consumers(node.outputs[0])}};
    if (codes.type) site["dtype"] = name_of(codes.type->dtype);
    if (scale != nullptr && scale->count() == 1) site["scale"] = scale->at(0);
    sites_.push_back(std::move(site));
  }
  // Who reads the dequantized value: "MatMul[0]" is operand 0 of a MatMul.
  Json consumers(ValueId codes) const {
    Json out = Json::array();
    for (const NodeId dq : consumers_[static_cast<size_t>(codes)]) {
      const Node& node = graph_.node(dq);
      if (!node.as<DequantizeLinear>() || node.outputs[0] == kNone) continue;
      for (const NodeId user : std::set<NodeId>(consumers_[static_cast<size_t>(node.outputs[0])].begin(),
                                                consumers_[static_cast<size_t>(node.outputs[0])].end()))
        for (size_t i = 0; i < graph_.node(user).inputs.size(); ++i)
          if (graph_.node(user).inputs[i] == node.outputs[0]) out.push_back(fmt::format("{}[{}]", graph_.node(user).op.name(), i));
    }
    return out;
  }

  const Graph& graph_;
  std::vector<std::vector<NodeId>> consumers_;
  int64_t activation_q_ = 0, activation_dq_ = 0, weight_q_ = 0, weight_dq_ = 0;
  Json sites_ = Json::array();
};

}  // namespace

Json inspect_onnx(const std::filesystem::path& file) {
  Graph graph = load_model(file);
  const auto violations = infer_types(graph);
  std::map<std::string, int64_t> ops;
  for (size_t id = 0; id < graph.node_count(); ++id) ++ops[std::string(graph.node(static_cast<NodeId>(id)).op.name())];
  Json out{{"schema", "octet.inspect/1"}, {"kind", "onnx"}, {"file", file.string()}, {"bytes", std::filesystem::file_size(file)}};
  out["name"] = graph.name;
  out["producer"] = graph.producer;
  out["opset"] = graph.opset;
  out["metadata"] = graph.metadata;
  out["inputs"] = tensors_of(graph, graph.inputs);
  out["outputs"] = tensors_of(graph, graph.outputs);
  out["nodes"] = graph.node_count();
  out["ops"] = ops;
  out["constants"] = constants_of(graph);
  out["quantization"] = Quantization(graph).to_json();
  out["type_violations"] = violations.size();
  return out;
}

}  // namespace octet
