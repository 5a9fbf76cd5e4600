#include "report/layered.h"

#include <algorithm>
#include <numeric>

namespace octet::report {
namespace {

constexpr float kGapX = 18, kGapY = 34, kMargin = 8;

// Edges between boxes, as lists of what each box reads.
std::vector<std::vector<uint32_t>> inputs_of(const DotGraph& graph) {
  std::vector<std::vector<uint32_t>> inputs(graph.sizes.size());
  for (const auto& [from, to] : graph.edges)
    if (from >= 0 && to >= 0) inputs[static_cast<size_t>(to)].push_back(static_cast<uint32_t>(from));
  return inputs;
}

// A topological order; boxes of cycles come behind, as they are numbered.
std::vector<uint32_t> order_of(const DotGraph& graph) {
  std::vector<uint32_t> waiting(graph.sizes.size()), order;
  std::vector<std::vector<uint32_t>> readers(graph.sizes.size());
  for (const auto& [from, to] : graph.edges)
    if (from >= 0 && to >= 0) readers[static_cast<size_t>(from)].push_back(static_cast<uint32_t>(to)), ++waiting[static_cast<size_t>(to)];
  std::vector<bool> placed(graph.sizes.size());
  for (uint32_t i = 0; i < waiting.size(); ++i)
    if (waiting[i] == 0) order.push_back(i);
  for (size_t at = 0; at < order.size(); ++at) {
    placed[order[at]] = true;
    for (const uint32_t reader : readers[order[at]])
      if (--waiting[reader] == 0) order.push_back(reader);
  }
  for (uint32_t i = 0; i < placed.size(); ++i)
    if (!placed[i]) order.push_back(i);
  return order;
}

// Boxes by layer: one below the lowest of those that it reads from.
std::vector<std::vector<uint32_t>> layers_of(const DotGraph& graph, const std::vector<std::vector<uint32_t>>& inputs) {
  constexpr uint32_t kUnplaced = 0xffffffff;
  std::vector<uint32_t> depth(graph.sizes.size(), kUnplaced);
  std::vector<std::vector<uint32_t>> layers;
  for (const uint32_t box : order_of(graph)) {
    uint32_t layer = 0;
    for (const uint32_t input : inputs[box])
      if (depth[input] != kUnplaced) layer = std::max(layer, depth[input] + 1);
    depth[box] = layer;
    layers.resize(std::max<size_t>(layers.size(), layer + 1));
    layers[layer].push_back(box);
  }
  return layers;
}

// Puts a layer's boxes side by side, each as near below its inputs as its neighbours on the left let it.
void place(const std::vector<uint32_t>& layer, const std::vector<std::vector<uint32_t>>& inputs, float top, float height, Pattern& out) {
  std::vector<std::pair<float, uint32_t>> wanted;
  for (const uint32_t box : layer) {
    float sum = 0;
    for (const uint32_t input : inputs[box]) sum += out.boxes[input].x;
    wanted.emplace_back(inputs[box].empty() ? 0 : sum / static_cast<float>(inputs[box].size()), box);
  }
  std::ranges::stable_sort(wanted, {}, &std::pair<float, uint32_t>::first);
  float free = kMargin;
  for (const auto& [x, box] : wanted) {
    Box& placed = out.boxes[box];
    placed.x = std::max(x, free + placed.width / 2);
    placed.y = top + height / 2;
    free = placed.x + placed.width / 2 + kGapX;
  }
  out.width = std::max(out.width, free - kGapX + kMargin);
}

// From the middle of one edge to the middle of another, upright at both ends.
std::vector<float> curve(float x1, float y1, float x2, float y2) {
  const float bend = std::max(12.0f, (y2 - y1) / 2);
  return {x1, y1, x1, y1 + bend, x2, y2 - bend, x2, y2};
}

}  // namespace

Pattern lay_out_layered(const DotGraph& graph) {
  Pattern out;
  for (const DotGraph::Size& size : graph.sizes) out.boxes.push_back({0, 0, size.width, size.height});
  const auto inputs = inputs_of(graph);
  out.height = kMargin;
  for (const std::vector<uint32_t>& layer : layers_of(graph, inputs)) {
    float height = 0;
    for (const uint32_t box : layer) height = std::max(height, out.boxes[box].height);
    place(layer, inputs, out.height, height, out);
    out.height += height + kGapY;
  }
  out.height += kMargin - kGapY;
  for (const auto& [from, to] : graph.edges) {
    const Box a = from >= 0 ? out.boxes[static_cast<size_t>(from)] : Box{out.width / 2, 0, 0, 0};
    const Box b = to >= 0 ? out.boxes[static_cast<size_t>(to)] : Box{out.width / 2, out.height, 0, 0};
    out.curves.push_back({from, to, curve(a.x, a.y + a.height / 2, b.x, b.y - b.height / 2)});
  }
  return out;
}

}  // namespace octet::report
