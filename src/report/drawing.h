// Where the nodes and edges of a graph lie on paper. Blocks that repeat (the layers of a transformer) are laid out once each, and once
// more as boxes among the nodes outside of them: a drawing opens collapsed, and any block can be opened in its place. Blocks of equal
// shape share a pattern, so that 24 layers cost what one costs. Units: CSS pixels, origin at the top left, y down.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace octet::report {

// What is to be drawn. Order: any; a topological one gives better chunks where nothing repeats.
struct Shape {
  struct Node {
    float width = 0, height = 0;
    std::string block;  // "" outside of any
  };
  std::vector<Node> nodes;
  std::vector<std::pair<uint32_t, uint32_t>> edges;  // from, to; repetitions and loops are drawn once and never
};

struct Box {
  float x = 0, y = 0, width = 0, height = 0;  // of its centre
};
struct Curve {
  int32_t from = 0, to = 0;   // items of the pattern; kIn, kOut: the block's edge
  std::vector<float> points;  // x, y of a cubic Bezier spline: 1 + 3n points
};
inline constexpr int32_t kIn = -1, kOut = -2;

struct Pattern {
  float width = 0, height = 0;
  std::vector<Box> boxes;
  std::vector<Curve> curves;
};
struct Block {
  std::string name;
  uint32_t pattern = 0;
  std::vector<uint32_t> nodes;  // in the order of the pattern's boxes
};
struct Drawing {
  std::vector<Pattern> patterns;
  std::vector<Block> blocks;
  std::vector<int64_t> items;  // of `top`, in the order of its boxes: a node, or -1 - block
  Pattern top;                 // all blocks collapsed
  std::string note;            // why graphviz did not lay it out; else empty
};

// The size of a collapsed block.
inline constexpr float kBlockWidth = 190, kBlockHeight = 44;

// By graphviz's `dot`, run as a child for a minute at most; else by an own, plainer layout (layered.h), and the note says why.
Drawing draw(const Shape& shape);

}  // namespace octet::report
