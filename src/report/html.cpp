#include "report/html.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "report/page.h"

namespace octet::report {
namespace {

constexpr float kStepWidth = 190, kStepHeight = 44, kCardWidth = 128, kCardHeight = 36, kPillWidth = 40, kPillHeight = 22;

int whole(float pixels) { return static_cast<int>(std::lround(pixels)); }

Json json_of(const Pattern& pattern) {
  Json boxes = Json::array(), curves = Json::array();
  for (const Box& box : pattern.boxes)
    for (const float number : {box.x, box.y, box.width, box.height}) boxes.push_back(whole(number));
  for (const Curve& curve : pattern.curves) {
    Json points = Json::array();
    for (const float number : curve.points) points.push_back(whole(number));
    curves.push_back({curve.from, curve.to, std::move(points)});
  }
  return {{"w", whole(pattern.width)}, {"h", whole(pattern.height)}, {"boxes", std::move(boxes)}, {"curves", std::move(curves)}};
}

Shape steps_of(const profile::Engine& engine) {
  Shape shape;
  for (const profile::Step& step : engine.steps) shape.nodes.push_back({kStepWidth, kStepHeight, step.block});
  for (const profile::StepEdge& edge : engine.edges)
    if (edge.from >= 0 && edge.to >= 0) shape.edges.emplace_back(static_cast<uint32_t>(edge.from), static_cast<uint32_t>(edge.to));
  return shape;
}

Shape nodes_of(const profile::Engine& engine) {
  Shape shape;
  for (const profile::SourceNode& node : engine.nodes) shape.nodes.push_back(onnx_node(node.op, node.block));
  for (const profile::SourceEdge& edge : engine.node_edges) shape.edges.emplace_back(edge.from, edge.to);
  return shape;
}

// Engines built from one ONNX file share its drawing.
class Drawings {
 public:
  int64_t add(const Shape& shape) {
    if (shape.nodes.empty()) return -1;
    const auto [found, is_new] = known_.try_emplace(key_of(shape), static_cast<int64_t>(list_.size()));
    if (is_new) list_.push_back(report::json_of(draw(shape)));
    return found->second;
  }
  Json take() { return std::move(list_); }

 private:
  static std::string key_of(const Shape& shape) {
    std::string key;
    for (const Shape::Node& node : shape.nodes) key += fmt::format("{} {} {}\n", node.width, node.height, node.block);
    for (const auto& [from, to] : shape.edges) key += fmt::format("{}>{}\n", from, to);
    return key;
  }
  std::map<std::string, int64_t> known_;
  Json list_ = Json::array();
};

std::string title_of(const profile::Report& report) {
  std::string title;
  for (const profile::Engine& engine : report.engines) title += (title.empty() ? "" : " / ") + engine.label;
  return "octet: " + title;
}

}  // namespace

Shape::Node onnx_node(std::string_view op, std::string block) {
  const bool pill = op == "QuantizeLinear" || op == "DequantizeLinear";
  return {pill ? kPillWidth : kCardWidth, pill ? kPillHeight : kCardHeight, std::move(block)};
}

Json json_of(const Drawing& drawing) {
  Json patterns = Json::array(), blocks = Json::array();
  for (const Pattern& pattern : drawing.patterns) patterns.push_back(json_of(pattern));
  for (const Block& block : drawing.blocks) blocks.push_back({{"name", block.name}, {"pattern", block.pattern}, {"nodes", block.nodes}});
  return {{"patterns", std::move(patterns)},
          {"blocks", std::move(blocks)},
          {"items", drawing.items},
          {"top", json_of(drawing.top)},
          {"note", drawing.note}};
}

std::string profile_html(const profile::Report& report) {
  Drawings drawings;
  Json graphs = Json::array();
  for (const profile::Engine& engine : report.engines)
    graphs.push_back({{"steps", drawings.add(steps_of(engine))}, {"nodes", drawings.add(nodes_of(engine))}});
  const Json rest{{"graphs", std::move(graphs)}, {"drawings", drawings.take()}};
  // The report's own JSON goes in as it is: what the page shows is what `--json` writes.
  std::string data = R"({"schema":"octet.page/1","kind":"profile","report":)" + profile::to_json(report);
  data += "," + rest.dump(-1, ' ', false, Json::error_handler_t::replace).substr(1);
  return page(title_of(report), data);
}

}  // namespace octet::report
