#include "passes/fix_types.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "ops/cast.h"
#include "ops/constant.h"
#include "ops/quantize.h"
#include "ops/unary.h"
#include "passes/cast_floats.h"

namespace octet::passes {
namespace {

bool is_half(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }

class Repair {
 public:
  Repair(Graph& graph, std::vector<std::string>& changes) : graph_(graph), changes_(changes), parent_(graph.value_count()) {
    std::iota(parent_.begin(), parent_.end(), 0);
    for (NodeId id = 0; id < node_count(); ++id)
      if (!graph_.node(id).dead) connect(graph_.node(id));
  }
  // Mends what it can of `violations`; false if that is nothing.
  bool run(const std::vector<TypeViolation>& violations);

 private:
  NodeId node_count() const { return static_cast<NodeId>(graph_.node_count()); }
  DType dtype(ValueId id) const { return graph_.value(id).type->dtype; }
  bool is_computed(ValueId id) const { return graph_.value(id).producer != kNone && !graph_.constant_of(id); }
  bool in_f32(ValueId id) const { return id != kNone && dtype(id) == DType::f32; }
  std::vector<ValueId> tied(const Node& node) const;
  void connect(const Node& node);
  ValueId root(ValueId id);
  bool converts(ValueId id);
  void seed(const TypeViolation& violation, bool constants_alone);
  void convert_node(NodeId id);
  void convert_input(NodeId id, size_t input, DType to);
  void convert_outputs();
  ValueId retyped_constant(ValueId id, DType to, NodeId reader);
  void change(std::string line) { changes_.push_back(std::move(line)); }
  std::string tensor(ValueId id) const { return "`" + printable(graph_.value(id).name) + "`"; }

  Graph& graph_;
  std::vector<std::string>& changes_;
  std::vector<ValueId> parent_;                             // union-find over computed f32 values
  std::map<ValueId, DType> target_;                         // by root: the type an island takes
  std::map<std::pair<ValueId, DType>, ValueId> converted_;  // constants and graph inputs in another type
};

// The f32 operands and results of `node` that have to be of one type.
std::vector<ValueId> Repair::tied(const Node& node) const {
  std::vector<ValueId> ids;
  const auto take = [&](ValueId id) {
    if (in_f32(id)) ids.push_back(id);
  };
  if (node.as<Cast>()) return ids;
  if (const auto* dq = node.as<DequantizeLinear>()) {
    if (dq->output_dtype == 0) take(node.inputs[1]), take(node.outputs[0]);
    return ids;
  }
  for (size_t i = node.as<CastLike>() ? 1 : 0; i < node.inputs.size(); ++i) take(node.inputs[i]);
  for (const ValueId id : node.outputs) take(id);
  return ids;
}

void Repair::connect(const Node& node) {
  ValueId first = kNone;
  for (const ValueId id : tied(node)) {
    if (!is_computed(id)) continue;  // shared constants and graph inputs connect nothing
    if (first == kNone) first = root(id);
    parent_[static_cast<size_t>(root(id))] = first;
  }
}

ValueId Repair::root(ValueId id) {
  while (parent_[static_cast<size_t>(id)] != id)
    id = parent_[static_cast<size_t>(id)] = parent_[static_cast<size_t>(parent_[static_cast<size_t>(id)])];
  return id;
}

bool Repair::converts(ValueId id) {
  return id != kNone && static_cast<size_t>(id) < parent_.size() && is_computed(id) && target_.contains(root(id));
}

// Marks the f32 islands that a violation says are wrong. Where the 16-bit side is constants alone, the f32 side is believed,
// unless another violation has already decided (`constants_alone`: the second round).
void Repair::seed(const TypeViolation& violation, bool constants_alone) {
  const Node& node = graph_.node(violation.id);
  std::set<DType> halves;
  bool computed_half = node.as<QuantizeLinear>() != nullptr, computed_f32 = false;
  for (const ValueId id : node.inputs) {
    if (id == kNone) continue;
    if (is_half(dtype(id))) halves.insert(dtype(id)), computed_half |= !graph_.constant_of(id);
    computed_f32 |= in_f32(id) && !graph_.constant_of(id);
  }
  if (halves.size() != 1) return;
  const bool believe_f32 = !computed_half && computed_f32;
  if (believe_f32 != constants_alone) return;
  const bool decided = std::ranges::any_of(node.inputs, [&](ValueId id) { return in_f32(id) && converts(id); });
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = graph_.node(violation.id).inputs[i];
    if (id == kNone) continue;
    if (believe_f32 && !decided && is_half(dtype(id))) convert_input(violation.id, i, DType::f32);
    if (believe_f32 || !in_f32(id)) continue;
    if (is_computed(id)) target_.emplace(root(id), *halves.begin());
    else convert_input(violation.id, i, *halves.begin());
  }
}

// The constant in another type: in place where `reader` alone reads it, else a copy beside it.
ValueId Repair::retyped_constant(ValueId id, DType to, NodeId reader) {
  const DType from = dtype(id);
  const auto shared = [&] {
    for (NodeId other = 0; other < node_count(); ++other)
      if (other != reader && !graph_.node(other).dead && std::ranges::count(graph_.node(other).inputs, id) > 0) return true;
    return graph_.is_output(id);
  };
  HostTensor tensor = retyped(*graph_.constant_of(id), to);
  ValueId result = id;
  if (shared()) {
    result = graph_.add_constant(fmt::format("{}.{}", graph_.value(id).name, to), std::move(tensor));
    change(fmt::format("constant {}: {} -> {}, as {} (others read it as {})", this->tensor(id), from, to, this->tensor(result), from));
  } else {
    Value& value = graph_.value(id);
    value.constant = std::move(tensor);
    change(fmt::format("constant {}: {} -> {}", this->tensor(id), from, to));
  }
  graph_.value(result).type = TensorType{to, to_shape(graph_.constant_of(result)->dims())};
  return result;
}

// One input of a node, a constant or a graph input, in type `to`.
void Repair::convert_input(NodeId id, size_t input, DType to) {
  const ValueId from = graph_.node(id).inputs[input];
  auto [known, is_new] = converted_.try_emplace({from, to}, kNone);
  if (is_new) {
    if (graph_.constant_of(from)) {
      known->second = retyped_constant(from, to, id);
    } else {
      known->second = graph_.add(make_op(Cast{to}), {from}, fmt::format("{}.{}", graph_.value(from).name, to),
                                 fmt::format("{}.cast", graph_.value(from).name));
      graph_.value(known->second).type = TensorType{to, graph_.value(from).type->shape};
      change(fmt::format("graph input {} stays {}: a Cast to {} behind it", tensor(from), dtype(from), to));
    }
  }
  graph_.node(id).inputs[input] = known->second;
}

// A node that gives or reads a value of an island that changes.
void Repair::convert_node(NodeId id) {
  const Node node = graph_.node(id);
  const auto gives = std::ranges::find_if(node.outputs, [&](ValueId v) { return converts(v) && in_f32(v); });
  const auto reads = std::ranges::find_if(node.inputs, [&](ValueId v) { return converts(v) && in_f32(v); });
  if (gives == node.outputs.end() && (reads == node.inputs.end() || node.as<Cast>())) return;
  const DType to = target_.at(root(gives != node.outputs.end() ? *gives : *reads));
  const auto* dq = node.as<DequantizeLinear>();
  if (const auto* cast = node.as<Cast>()) {
    Cast changed = *cast;
    changed.to = to;
    graph_.node(id).op = make_op(changed);
    change(fmt::format("{}: to f32 -> to {}", graph_.label(id), to));
  } else if (dq && dq->output_dtype != 0) {
    DequantizeLinear changed = *dq;
    changed.output_dtype = onnx_number(to);
    graph_.node(id).op = make_op(changed);
    change(fmt::format("{}: output_dtype f32 -> {}", graph_.label(id), to));
  } else if (const auto* filled = node.as<ConstantOfShape>()) {
    const HostTensor value = filled->value.count() == 1 ? filled->value : HostTensor(DType::f32, {1});
    graph_.node(id).op = make_op(ConstantOfShape{retyped(value, to)});
    change(fmt::format("{}: value f32 -> {}", graph_.label(id), to));
  } else {
    for (const ValueId v : tied(node))
      for (size_t i = 0; i < node.inputs.size(); ++i)
        if (node.inputs[i] == v && graph_.node(id).inputs[i] == v && !is_computed(v)) convert_input(id, i, to);
  }
}

// An f32 graph output of an island keeps its name and type.
void Repair::convert_outputs() {
  for (ValueId& output : graph_.outputs) {
    if (!in_f32(output) || !converts(output)) continue;
    const std::string name = graph_.value(output).name;
    graph_.rename(output, fmt::format("{}.{}", name, target_.at(root(output))));
    output = graph_.add(make_op(Cast{DType::f32}), {output}, name, name + ".cast");
    change(fmt::format("graph output `{}` stays f32: a Cast before it", printable(name)));
  }
}

bool Repair::run(const std::vector<TypeViolation>& violations) {
  const size_t before = changes_.size();
  for (const bool constants_alone : {false, true})
    for (const auto& violation : violations)
      if (violation.mixes_floats()) seed(violation, constants_alone);
  const NodeId count = node_count();  // less the Casts added here
  for (NodeId id = 0; id < count; ++id)
    if (!graph_.node(id).dead) convert_node(id);
  convert_outputs();
  return changes_.size() > before;
}

// Casts that a repair has left without effect.
void drop_casts(Graph& graph, const std::set<std::string>& had_effect, std::vector<std::string>& changes) {
  std::unordered_map<ValueId, ValueId> replacements;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    const Node& node = graph.node(id);
    if (node.dead || !node.as<Cast>() || graph.is_output(node.outputs[0])) continue;
    const auto &in = graph.value(node.inputs[0]).type, &out = graph.value(node.outputs[0]).type;
    if (!in || !out || in->dtype != out->dtype || !had_effect.contains(graph.value(node.outputs[0]).name)) continue;
    changes.push_back(fmt::format("{}: removed, it is {} to {} now", graph.label(id), in->dtype, out->dtype));
    replacements.emplace(node.outputs[0], node.inputs[0]);
    graph.erase(id);
  }
  graph.replace_uses(replacements);
}

// The outputs of Casts that change a type.
std::set<std::string> casts_with_effect(const Graph& graph) {
  std::set<std::string> names;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    const Node& node = graph.node(id);
    if (!node.dead && node.as<Cast>() && graph.value(node.inputs[0]).type->dtype != graph.value(node.outputs[0]).type->dtype)
      names.insert(graph.value(node.outputs[0]).name);
  }
  return names;
}

void drop_constant_identities(Graph& graph, std::vector<std::string>& changes) {
  std::unordered_map<ValueId, ValueId> replacements;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    const Node& node = graph.node(id);
    if (node.dead || !node.as<Identity>() || !graph.constant_of(node.inputs[0]) || graph.is_output(node.outputs[0])) continue;
    changes.push_back(fmt::format("{}: removed, it copies a constant", graph.label(id)));
    replacements.emplace(node.outputs[0], node.inputs[0]);
    graph.erase(id);
  }
  graph.replace_uses(replacements);
}

// Zero points where other readers need them: below opset 21 nothing else says that a QuantizeLinear gives e4m3, and onnxruntime
// 1.32, moving a DequantizeLinear without one across a Transpose, quantizes to u8.
void add_zero_points(Graph& graph, std::vector<std::string>& changes) {
  ValueId zero = kNone;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    const auto* q = node.as<QuantizeLinear>();
    const bool is_dq = node.as<DequantizeLinear>() != nullptr && !graph.constant_of(node.inputs[0]);
    if (node.dead || (!q && !is_dq) || (node.inputs.size() > 2 && node.inputs[2] != kNone)) continue;
    const ValueId codes = q ? node.outputs[0] : node.inputs[0];
    const bool one_scale = graph.constant_of(node.inputs[1]) && graph.constant_of(node.inputs[1])->count() == 1;
    if (graph.value(codes).type->dtype != DType::e4m3 || !one_scale) continue;
    if (q) {
      QuantizeLinear op = *q;
      op.output_dtype = 0;
      node.op = make_op(op);
    }
    if (zero == kNone) zero = graph.add_constant("e4m3_zero", HostTensor(DType::e4m3, {}));
    node.inputs.resize(3, kNone);
    node.inputs[2] = zero;
    changes.push_back(fmt::format("{}: zero point e4m3 0 added", graph.label(id)));
  }
}

void refuse_old_opset(const Graph& graph) {
  if (graph.opset >= 19) return;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id)
    for (const ValueId codes : graph.node(id).outputs)
      if (codes != kNone && is_float8(graph.value(codes).type->dtype))
        throw Error(Code::kUnsupported, fmt::format("{} gives f8, which opset {} does not have", graph.label(id), graph.opset),
                    "export the model at opset 19 or later");
}

}  // namespace

TypeRepair fix_types(Graph& graph) {
  TypeRepair repair;
  repair.changes = graph.import_notes;
  drop_constant_identities(graph, repair.changes);
  graph.sort();
  infer_types(graph);
  refuse_old_opset(graph);
  add_zero_points(graph, repair.changes);
  repair.violations = infer_types(graph);
  const std::set<std::string> had_effect = casts_with_effect(graph);
  // A repaired island can show that a neighbour disagrees with it; each round makes at least one island smaller in number.
  for (int round = 0; round < 16 && !repair.violations.empty(); ++round) {
    if (!Repair(graph, repair.changes).run(repair.violations)) break;
    graph.sort();
    repair.violations = infer_types(graph);
  }
  drop_casts(graph, had_effect, repair.changes);
  graph.remove_dead();
  graph.sort();
  repair.violations = infer_types(graph);
  int64_t kept = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    const Node& node = graph.node(id);
    kept += node.as<Cast>() && graph.value(node.outputs[0]).type->dtype == DType::f32 && is_half(graph.value(node.inputs[0]).type->dtype);
  }
  if (kept > 0)
    repair.notes.push_back(fmt::format("{} Cast{} into f32 left alone: what they lead into agrees in type", kept, kept == 1 ? "" : "s"));
  return repair;
}

}  // namespace octet::passes
