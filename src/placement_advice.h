// Q/DQ pairs that are legal and cost a step each: `octet check` lists them beside violations.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"

namespace octet {

struct PlacementAdvice {
  std::string node;  // the Q
  std::string what, fix;
};
// Of a graph with inferred types: pairs on what a product gives that something else than a product reads.
std::vector<PlacementAdvice> placement_advice(const Graph& graph);

}  // namespace octet
