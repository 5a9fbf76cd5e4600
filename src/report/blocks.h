// Which nodes of a graph are drawn inside of which block.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "report/drawing.h"

namespace octet::report {

struct Group {
  std::string name;
  std::vector<uint32_t> nodes;  // ascending; at least two, at most kMostInGroup
};

// More boxes than that at once are neither laid out in seconds nor read by anyone.
inline constexpr size_t kMostInGroup = 400, kMostOutside = 150, kChunk = 64;

// The blocks that the nodes name. A node that names none and feeds one block alone (its weights, as a rule) is of that block. Blocks
// beyond kMostInGroup, and what is outside of blocks where that is more than kMostOutside, are cut into runs of kChunk nodes.
std::vector<Group> group_nodes(const Shape& shape);

}  // namespace octet::report
