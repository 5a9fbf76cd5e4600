// The type checker: one pass over the nodes, each rule seeing what its operands are known to be.
#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "ir/graph.h"

namespace octet {
namespace {

constexpr int64_t kMaxShapeValue = 64;  // elements; no tensor has more dimensions than that

std::optional<Shape> shape_value_of(const HostTensor& constant) {
  const bool is_index = constant.dtype() == DType::i64 || constant.dtype() == DType::i32;
  if (!is_index || constant.rank() > 1 || constant.count() > kMaxShapeValue) return std::nullopt;
  Shape shape;
  for (int64_t i = 0; i < constant.count(); ++i) shape.emplace_back(constant.at_int(i));
  return shape;
}

std::string origin(const Graph& graph, ValueId id) {
  if (graph.constant_of(id) != nullptr) return "constant";
  return graph.producer_of(id) != nullptr ? graph.label(graph.value(id).producer) : "graph input";
}

class Checker final : public InferContext {
 public:
  // `from_constants`: by value, Operand::from_constants of what earlier nodes give.
  Checker(const Graph& graph, NodeId id, const std::vector<bool>& from_constants, std::vector<TypeViolation>& violations)
      : graph_(graph), id_(id), from_constants_(from_constants), violations_(violations) {
    for (const ValueId input : node().inputs) operands_.push_back(operand(input));
  }
  int opset() const override { return graph_.opset; }
  int input_count() const override { return static_cast<int>(operands_.size()); }
  int output_count() const override { return static_cast<int>(node().outputs.size()); }
  const Operand* input(int i) const override {
    if (i < 0 || i >= input_count() || node().inputs[static_cast<size_t>(i)] == kNone) return nullptr;
    return &operands_[static_cast<size_t>(i)];
  }
  std::string input_name(int i) const override {
    return input(i) == nullptr ? InferContext::input_name(i)
                               : "`" + printable(graph_.value(node().inputs[static_cast<size_t>(i)]).name) + "`";
  }
  void violation(std::string_view rule, std::string what, std::string fix) override {
    TypeViolation found;
    found.id = id_;
    found.node = node().name.empty() ? fmt::format("node {}", id_) : fmt::format("node {} `{}`", id_, printable(node().name));
    found.op = node().op.name(), found.rule = rule, found.what = std::move(what), found.fix = std::move(fix);
    for (const ValueId id : node().inputs)
      if (id != kNone && is_real(graph_.value(id).type->dtype))
        found.operands.push_back({graph_.value(id).name, graph_.value(id).type->dtype, origin(graph_, id)});
    violations_.push_back(std::move(found));
  }

 private:
  const Node& node() const { return graph_.node(id_); }
  static bool is_real(DType dtype) { return is_float(dtype) || is_float8(dtype) || dtype == DType::e8m0; }
  Operand operand(ValueId id) const {
    if (id == kNone) return {};
    const Value& value = graph_.value(id);
    if (!value.type)
      throw Error(Code::kInvalid, fmt::format("it reads `{}`, which no earlier node, input or constant gives", printable(value.name)),
                  "name an existing tensor, or put the nodes in topological order");
    return {*value.type, graph_.constant_of(id), value.shape_value ? &*value.shape_value : nullptr,
            from_constants_[static_cast<size_t>(id)]};
  }

  const Graph& graph_;
  NodeId id_;
  const std::vector<bool>& from_constants_;
  std::vector<TypeViolation>& violations_;
  std::vector<Operand> operands_;
};

// Forgets inferred types, so that none outlives the change of a graph, and gives constants what follows from their bytes.
// Returns the first number for fresh dimensions that the declared types do not use.
int64_t reset(Graph& graph) {
  std::vector<bool> is_input(graph.value_count());
  for (const ValueId id : graph.inputs) is_input.at(static_cast<size_t>(id)) = true;
  int64_t first = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    Value& value = graph.value(static_cast<ValueId>(i));
    value.shape_value.reset();
    if (value.constant) {
      value.type = TensorType{value.constant->dtype(), to_shape(value.constant->dims())};
      value.shape_value = shape_value_of(*value.constant);
    } else if (!is_input[i]) {
      value.type.reset();
    } else if (value.type) {
      for (const Dim& dim : value.type->shape)
        if (const auto number = FreshDims::number(dim.symbol); number && *number < INT64_MAX / 2) first = std::max(first, *number + 1);
    }
  }
  return first;
}

void infer_node(Graph& graph, NodeId id, std::vector<bool>& from_constants, std::vector<TypeViolation>& violations) {
  Checker checker(graph, id, from_constants, violations);
  const Node& node = graph.node(id);
  const bool evaluable =
      std::ranges::all_of(node.inputs, [&](ValueId in) { return in == kNone || from_constants[static_cast<size_t>(in)]; });
  std::vector<Inferred> results = node.op.def().infer(node.op.attributes(), checker);
  if (results.size() < node.outputs.size())
    fail(Code::kInvalid, "it names {} outputs, and {} gives {}", node.outputs.size(), node.op.name(), results.size());
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNone) continue;
    Value& value = graph.value(node.outputs[i]);
    from_constants[static_cast<size_t>(node.outputs[i])] = evaluable;
    if (value.constant) continue;
    value.type = std::move(results[i].type);
    value.shape_value = std::move(results[i].shape_value);
  }
}

std::string render(const TypeViolation& violation) {
  std::string out = fmt::format("\n  {} ({}), {}: {}", violation.node, violation.op, violation.rule, violation.what);
  for (const auto& operand : violation.operands) out += "\n    " + to_string(operand);
  if (!violation.fix.empty()) out += "\n    fix: " + violation.fix;
  return out;
}

}  // namespace

std::string to_string(const TypedOperand& operand) {
  return fmt::format("`{}` {} <- {}", printable(operand.tensor), name_of(operand.dtype), operand.producer);
}

bool TypeViolation::mixes_floats() const {
  const auto has = [&](DType dtype) { return std::ranges::any_of(operands, [&](const auto& o) { return o.dtype == dtype; }); };
  return has(DType::f32) && (has(DType::f16) || has(DType::bf16));
}

std::vector<TypeViolation> infer_types(Graph& graph) {
  const FreshDims fresh(reset(graph));
  std::vector<TypeViolation> violations;
  std::vector<bool> from_constants(graph.value_count());
  for (size_t i = 0; i < from_constants.size(); ++i) from_constants[i] = graph.constant_of(static_cast<ValueId>(i)) != nullptr;
  for (size_t i = 0; i < graph.node_count(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (graph.node(id).dead) continue;
    with_context([&] { return "checking " + graph.label(id); }, [&] { infer_node(graph, id, from_constants, violations); });
  }
  for (const ValueId output : graph.outputs)
    if (!graph.value(output).type)
      fail(Code::kInvalid, "graph output `{}` is given by no node, input or constant", printable(graph.value(output).name));
  return violations;
}

void check_types(Graph& graph) {
  const std::vector<TypeViolation> violations = infer_types(graph);
  if (violations.empty()) return;
  std::string message =
      fmt::format("graph `{}` has {} type error{}:", printable(graph.name), violations.size(), violations.size() == 1 ? "" : "s");
  for (const auto& violation : violations) message += render(violation);
  throw Error(Code::kInvalid, message);
}

}  // namespace octet
