#include "passes/extract.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace octet::passes {
namespace {

ValueId tensor_named(const Graph& graph, const std::string& name, const char* flag) {
  const ValueId id = graph.find(name);
  if (id != kNone) return id;
  std::vector<std::string> names;
  for (ValueId i = 0; i < static_cast<ValueId>(graph.value_count()); ++i) names.push_back(graph.value(i).name);
  const std::string meant = nearest(name, names);
  throw Error(Code::kUsage, fmt::format("{}: there is no tensor `{}`", flag, printable(name)),
              meant.empty() ? "`octet inspect` and `octet convert MODEL.onnx MODEL.ir` show the names"
                            : "did you mean `" + printable(meant) + "`?");
}

class Extractor {
 public:
  Extractor(const Graph& graph, const std::vector<std::string>& from, const std::vector<std::string>& to) : graph_(graph) {
    for (const std::string& name : from) cuts_.insert(tensor_named(graph, name, "--from"));
    for (const std::string& name : to) ends_.push_back(tensor_named(graph, name, "--to"));
    if (to.empty()) ends_ = graph.outputs;
  }

  Extracted run() {
    reach();
    for (const ValueId cut : cuts_)
      if (!needed_.contains(cut))
        throw Error(Code::kUsage, fmt::format("--from: nothing that --to names needs `{}`", printable(graph_.value(cut).name)));
    out_.graph.name = graph_.name, out_.graph.producer = graph_.producer, out_.graph.opset = graph_.opset;
    out_.graph.metadata = graph_.metadata;
    add_inputs();
    for (NodeId id = 0; id < static_cast<NodeId>(graph_.node_count()); ++id)
      if (nodes_.contains(id)) copy(graph_.node(id));
    for (const ValueId end : ends_) out_.graph.mark_output(place(end));
    return std::move(out_);
  }

 private:
  // Backwards from the ends to the cuts.
  void reach() {
    std::vector<ValueId> open = ends_;
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (id == kNone || !needed_.insert(id).second || cuts_.contains(id) || graph_.producer_of(id) == nullptr) continue;
      const NodeId node = graph_.value(id).producer;
      nodes_.insert(node);
      const auto& inputs = graph_.node(node).inputs;
      open.insert(open.end(), inputs.begin(), inputs.end());
    }
  }
  // The graph's own inputs first, in their order, then what was cut, in the order of the graph.
  void add_inputs() {
    for (const ValueId id : graph_.inputs)
      if (needed_.contains(id)) {
        add_input(id);
        if (!cuts_.contains(id)) out_.kept_inputs.push_back(graph_.value(id).name);
      }
    for (const ValueId id : cuts_)
      if (!placed_.contains(id)) add_input(id);
  }
  void add_input(ValueId id) {
    const Value& value = graph_.value(id);
    if (!value.type)
      throw Error(Code::kUsage, fmt::format("--from: the type of `{}` is not known", printable(value.name)), "cut at another tensor");
    if (graph_.constant_of(id) != nullptr) throw Error(Code::kUsage, fmt::format("--from: `{}` is a constant", printable(value.name)));
    placed_[id] = out_.graph.add_input(value.name, *value.type);
  }
  ValueId place(ValueId id) {
    if (id == kNone) return kNone;
    const auto [found, is_new] = placed_.try_emplace(id, kNone);
    if (!is_new) return found->second;
    const Value& value = graph_.value(id);
    if (const HostTensor* constant = graph_.constant_of(id)) return found->second = out_.graph.add_constant(value.name, *constant);
    found->second = out_.graph.add_value(value.name);
    out_.graph.value(found->second).type = value.type;
    return found->second;
  }
  // A node that also gives a cut tensor keeps its other outputs: that one gets another name.
  void copy(const Node& node) {
    Node mine = node;
    for (ValueId& id : mine.inputs) id = place(id);
    for (ValueId& id : mine.outputs) {
      if (id == kNone) continue;
      const bool cut = cuts_.contains(id);
      const ValueId original = id;
      id = cut ? out_.graph.add_value(graph_.value(original).name + "_before_cut") : place(original);
      out_.graph.value(id).type = graph_.value(original).type;
    }
    out_.graph.add_node(std::move(mine));
  }

  const Graph& graph_;
  std::set<ValueId> cuts_, needed_;
  std::vector<ValueId> ends_;
  std::set<NodeId> nodes_;
  std::map<ValueId, ValueId> placed_;
  Extracted out_;
};

}  // namespace

Extracted extract(const Graph& graph, const std::vector<std::string>& from, const std::vector<std::string>& to) {
  return Extractor(graph, from, to).run();
}

}  // namespace octet::passes
