// Constant evaluation for passes: one node, all inputs constant.
#pragma once
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace octet {

// The node's outputs, or nullopt when an input is not constant, the outputs would exceed 64 MiB, or the work a few 10^8
// multiplications. What is worth folding is the caller's policy. Throws what the reference throws (an index out of range),
// with "while folding node ...".
std::optional<std::vector<HostTensor>> evaluate_constant(const Graph& graph, const Node& node);

}  // namespace octet
