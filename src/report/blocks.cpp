#include "report/blocks.h"

#include <fmt/format.h>

#include <map>

namespace octet::report {
namespace {

constexpr uint32_t kNowhere = 0xffffffff;

// Each node's block as a number, by order of first appearance.
std::vector<uint32_t> named_blocks(const Shape& shape, std::vector<std::string>& names) {
  std::map<std::string_view, uint32_t> known;
  std::vector<uint32_t> out;
  for (const Shape::Node& node : shape.nodes) {
    if (node.block.empty()) {
      out.push_back(kNowhere);
      continue;
    }
    const auto [found, is_new] = known.try_emplace(node.block, static_cast<uint32_t>(names.size()));
    if (is_new) names.push_back(node.block);
    out.push_back(found->second);
  }
  return out;
}

// One round, consumers first: a node that nothing feeds and whose consumers are all of one block joins it; so does what it feeds from.
void adopt_weights(const Shape& shape, std::vector<uint32_t>& block) {
  std::vector<std::vector<uint32_t>> consumers(shape.nodes.size());
  std::vector<bool> fed(shape.nodes.size());
  for (const auto& [from, to] : shape.edges)
    if (from != to) consumers[from].push_back(to), fed[to] = true;
  for (size_t node = shape.nodes.size(); node-- > 0;) {
    if (block[node] != kNowhere || fed[node] || consumers[node].empty()) continue;
    const uint32_t first = block[consumers[node].front()];
    bool all = true;
    for (const uint32_t user : consumers[node]) all &= block[user] == first;
    if (all) block[node] = first;
  }
}

void add_chunks(std::vector<Group>& out, const Group& whole) {
  for (size_t begin = 0; begin < whole.nodes.size(); begin += kChunk) {
    const size_t end = std::min(begin + kChunk, whole.nodes.size());
    if (end - begin < 2) break;
    out.push_back({fmt::format("{} {}-{}", whole.name, begin + 1, end),
                   {whole.nodes.begin() + static_cast<ptrdiff_t>(begin), whole.nodes.begin() + static_cast<ptrdiff_t>(end)}});
  }
}

}  // namespace

std::vector<Group> group_nodes(const Shape& shape) {
  std::vector<std::string> names;
  std::vector<uint32_t> block = named_blocks(shape, names);
  adopt_weights(shape, block);
  std::vector<Group> named(names.size());
  for (size_t i = 0; i < names.size(); ++i) named[i].name = names[i];
  Group outside{"nodes", {}};
  for (uint32_t node = 0; node < block.size(); ++node) (block[node] == kNowhere ? outside : named[block[node]]).nodes.push_back(node);
  std::vector<Group> out;
  for (const Group& group : named) {
    if (group.nodes.size() > kMostInGroup) add_chunks(out, group);
    else if (group.nodes.size() > 1) out.push_back(group);
  }
  if (outside.nodes.size() > kMostOutside) add_chunks(out, outside);
  return out;
}

}  // namespace octet::report
