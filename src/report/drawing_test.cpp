#include "report/drawing.h"

#include <gmock/gmock.h>

#include <set>

#include "report/blocks.h"

namespace octet::report {
namespace {

// `layers` blocks of a chain of three, each with a weight that names no block, between two nodes before
// and one behind.
Shape transformer(uint32_t layers) {
  Shape shape;
  const auto add = [&](std::string block) {
    return shape.nodes.push_back({40, 20, std::move(block)}), static_cast<uint32_t>(shape.nodes.size() - 1);
  };
  uint32_t last = add(""), stem = last;
  shape.edges.emplace_back(stem, last = add(""));
  for (uint32_t layer = 0; layer < layers; ++layer) {
    const std::string block = "layers." + std::to_string(layer);
    const uint32_t weight = add(""), a = add(block), b = add(block), c = add(block);
    for (const auto& edge : {std::pair{last, a}, {a, b}, {b, c}, {weight, b}}) shape.edges.push_back(edge);
    last = c;
  }
  shape.edges.emplace_back(last, add(""));
  return shape;
}

TEST(Blocks, AWeightJoinsTheBlockThatReadsIt) {
  const auto groups = group_nodes(transformer(2));
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].name, "layers.0");
  EXPECT_THAT(groups[0].nodes, testing::ElementsAre(2, 3, 4, 5));
}

TEST(Blocks, WhatIsTooManyIsCut) {
  Shape shape;
  for (uint32_t i = 0; i < 1000; ++i) shape.nodes.push_back({10, 10, i < 900 ? "one" : ""});
  for (const Group& group : group_nodes(shape)) EXPECT_LE(group.nodes.size(), kMostInGroup);
  shape.nodes.resize(2000, {10, 10, ""});
  for (const Group& group : group_nodes(shape)) EXPECT_LE(group.nodes.size(), kMostInGroup);
}

TEST(Draw, BlocksOfOneShapeShareAPattern) {
  const Drawing drawing = draw(transformer(24));
  EXPECT_EQ(drawing.note, "");
  EXPECT_EQ(drawing.blocks.size(), 24u);
  EXPECT_EQ(drawing.patterns.size(), 1u);
  EXPECT_EQ(drawing.top.boxes.size(), 27u);
  EXPECT_EQ(drawing.items.size(), 27u);
}

TEST(Draw, EveryNodeIsOnPaperOnce) {
  const Shape shape = transformer(3);
  const Drawing drawing = draw(shape);
  std::multiset<int64_t> seen;
  for (const int64_t item : drawing.items)
    if (item >= 0) seen.insert(item);
  for (const Block& block : drawing.blocks) {
    EXPECT_EQ(block.nodes.size(), drawing.patterns[block.pattern].boxes.size());
    seen.insert(block.nodes.begin(), block.nodes.end());
  }
  EXPECT_EQ(seen.size(), shape.nodes.size());
  EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), shape.nodes.size());
}

TEST(Draw, NothingAndOneNode) {
  EXPECT_TRUE(draw({}).items.empty());
  EXPECT_EQ(draw({{{10, 10, "a.1"}}, {}}).items.size(), 1u);
}

}  // namespace
}  // namespace octet::report
