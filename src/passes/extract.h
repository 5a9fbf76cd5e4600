// The part of a graph between given tensors, as a graph of its own: `octet extract`. Not a pass of the pipeline.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"

namespace octet::passes {

struct Extracted {
  Graph graph;
  std::vector<std::string> kept_inputs;  // of the whole graph, that the part reads beside `from`
};
// Everything that `to` (empty: the graph's outputs) needs, cut at `from` (empty: nowhere): those tensors become inputs, of the types that
// they have there. Types must be inferred. Error{kUsage}: an unknown tensor, one without a type, a `from` that `to` does not need.
Extracted extract(const Graph& graph, const std::vector<std::string>& from, const std::vector<std::string>& to);

}  // namespace octet::passes
