#include "inspect_html.h"

#include "compile.h"
#include "inspect.h"
#include "ir/text.h"
#include "ir/text_literals.h"
#include "profile/collect.h"
#include "report/html.h"
#include "report/page.h"

namespace octet {
namespace {

constexpr size_t kViolations = 200;  // listed of a file that has more

// A node's operand: [name, type, note]. The note is a constant's value if it is one number, else "constant"; "omitted"; or empty.
Json tensor_of(const Graph& graph, ValueId id) {
  if (id == kNone) return Json::array({"", "", "omitted"});
  const Value& value = graph.value(id);
  std::string constant;
  if (const HostTensor* tensor = graph.constant_of(id)) constant = tensor->count() == 1 ? text::print_element(*tensor, 0) : "constant";
  return Json::array({value.name, value.type ? to_string(*value.type) : "", constant});
}

Json node_of(const Graph& graph, NodeId id, const std::string& name) {
  const Node& node = graph.node(id);
  Json in = Json::array(), out = Json::array();
  for (const ValueId value : node.inputs) in.push_back(tensor_of(graph, value));
  for (const ValueId value : node.outputs)
    if (value != kNone) out.push_back(tensor_of(graph, value));
  return {{"name", name}, {"op", node.op.name()}, {"block", profile::block_of(name)},
          {"inputs", in}, {"outputs", out},       {"attributes", print_attributes(node.op, graph.opset)}};
}

Json violations_of(const std::vector<TypeViolation>& violations, const std::vector<int64_t>& index) {
  Json out = Json::array();
  for (const TypeViolation& v : violations) {
    if (out.size() == kViolations) break;
    out.push_back({{"node", v.id == kNone ? -1 : index[static_cast<size_t>(v.id)]}, {"rule", v.rule}, {"what", v.what}, {"fix", v.fix}});
  }
  return out;
}

// Nodes in the file's order, and what each draws its inputs from.
struct View {
  Json nodes = Json::array();
  report::Shape shape;
  std::vector<int64_t> index;  // node -> place in `nodes`, -1: dead
};

View view_of(const Graph& graph) {
  View view;
  view.index.assign(graph.node_count(), -1);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    const Node& node = graph.node(id);
    if (node.dead) continue;
    const auto place = static_cast<uint32_t>(view.nodes.size());
    view.index[static_cast<size_t>(id)] = place;
    view.nodes.push_back(node_of(graph, id, node.name.empty() ? fmt::format("{}_{}", node.op.name(), id) : node.name));
    view.shape.nodes.push_back(report::onnx_node(node.op.name(), view.nodes.back()["block"].get<std::string>()));
  }
  const auto place_of = [&](NodeId id) { return id == kNone ? -1 : view.index[static_cast<size_t>(id)]; };
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id)
    for (const ValueId value : graph.node(id).inputs) {
      const int64_t from = value == kNone ? -1 : place_of(graph.value(value).producer), to = place_of(id);
      if (from >= 0 && to >= 0) view.shape.edges.emplace_back(from, to);
    }
  return view;
}

}  // namespace

std::string inspect_onnx_html(const std::filesystem::path& file) {
  Graph graph = load_model(file);
  const std::vector<TypeViolation> violations = infer_types(graph);
  View view = view_of(graph);
  const Json data{{"schema", "octet.page/1"},       {"kind", "onnx"},
                  {"facts", inspect_onnx(file)},    {"violations", violations_of(violations, view.index)},
                  {"nodes", std::move(view.nodes)}, {"drawing", report::json_of(report::draw(view.shape))}};
  return report::page("octet: " + file.filename().string(), data.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace octet
