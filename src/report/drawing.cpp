#include "report/drawing.h"

#include <algorithm>
#include <map>

#include "report/blocks.h"
#include "report/dot.h"

namespace octet::report {
namespace {

constexpr uint32_t kOutside = 0xffffffff;

// Where each node is drawn: its block and its place among the block's nodes; outside: its place among the top's items.
struct Place {
  uint32_t block = kOutside, index = 0;
};

void unique(std::vector<std::pair<int32_t, int32_t>>& edges) {
  std::ranges::sort(edges);
  const auto rest = std::ranges::unique(edges);
  edges.erase(rest.begin(), rest.end());
}

// The order of first appearance, so that the top reads as the graph does: blocks stand where their first node stands.
std::vector<Place> place_nodes(const Shape& shape, const std::vector<Group>& groups, std::vector<int64_t>& items,
                               std::vector<uint32_t>& item_of_block) {
  std::vector<Place> places(shape.nodes.size());
  for (uint32_t block = 0; block < groups.size(); ++block)
    for (uint32_t i = 0; i < groups[block].nodes.size(); ++i) places[groups[block].nodes[i]] = {block, i};
  item_of_block.assign(groups.size(), kOutside);
  for (uint32_t node = 0; node < places.size(); ++node) {
    Place& place = places[node];
    if (place.block == kOutside) {
      place.index = static_cast<uint32_t>(items.size());
      items.push_back(node);
    } else if (item_of_block[place.block] == kOutside) {
      item_of_block[place.block] = static_cast<uint32_t>(items.size());
      items.push_back(-1 - static_cast<int64_t>(place.block));
    }
  }
  return places;
}

struct Graphs {
  std::vector<DotGraph> blocks;
  DotGraph top;
};

Graphs graphs_of(const Shape& shape, const std::vector<Group>& groups, const std::vector<Place>& places, const std::vector<int64_t>& items,
                 const std::vector<uint32_t>& item_of_block) {
  Graphs out;
  out.blocks.resize(groups.size());
  const auto size_of = [&](uint32_t node) { return DotGraph::Size{shape.nodes[node].width, shape.nodes[node].height}; };
  for (size_t i = 0; i < groups.size(); ++i)
    for (const uint32_t node : groups[i].nodes) out.blocks[i].sizes.push_back(size_of(node));
  for (const int64_t item : items)
    out.top.sizes.push_back(item < 0 ? DotGraph::Size{kBlockWidth, kBlockHeight} : size_of(static_cast<uint32_t>(item)));
  const auto item_of = [&](const Place& p) { return static_cast<int32_t>(p.block == kOutside ? p.index : item_of_block[p.block]); };
  for (const auto& [from, to] : shape.edges) {
    const Place &a = places[from], &b = places[to];
    if (from == to) continue;
    if (a.block == b.block && a.block != kOutside) {
      out.blocks[a.block].edges.emplace_back(a.index, b.index);
      continue;
    }
    if (a.block != kOutside) out.blocks[a.block].edges.emplace_back(a.index, kOut);
    if (b.block != kOutside) out.blocks[b.block].edges.emplace_back(kIn, b.index);
    out.top.edges.emplace_back(item_of(a), item_of(b));
  }
  for (DotGraph& graph : out.blocks) unique(graph.edges);
  unique(out.top.edges);
  return out;
}

}  // namespace

Drawing draw(const Shape& shape) {
  Drawing out;
  std::vector<Group> groups = group_nodes(shape);
  std::vector<uint32_t> item_of_block;
  const std::vector<Place> places = place_nodes(shape, groups, out.items, item_of_block);
  Graphs graphs = graphs_of(shape, groups, places, out.items, item_of_block);
  std::map<DotGraph, uint32_t> known;  // blocks of one shape
  std::vector<DotGraph> distinct;
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto [found, is_new] = known.try_emplace(graphs.blocks[i], static_cast<uint32_t>(distinct.size()));
    if (is_new) distinct.push_back(std::move(graphs.blocks[i]));
    out.blocks.push_back({std::move(groups[i].name), found->second, std::move(groups[i].nodes)});
  }
  distinct.push_back(std::move(graphs.top));
  Layout layout = lay_out(distinct);
  out.patterns = std::move(layout.patterns), out.note = std::move(layout.note);
  out.top = std::move(out.patterns.back());
  out.patterns.pop_back();
  return out;
}

}  // namespace octet::report
