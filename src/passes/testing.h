// What the tests of passes share: a graph from its text, and one pass alone.
#pragma once
#include <string>

#include "ir/text.h"
#include "ops/list.h"
#include "passes/pipeline.h"

namespace octet::passes::testing {

// The graph of these lines behind the header, with its types checked.
inline Graph graph_of(const std::string& body, int opset = 20) {
  Graph graph = parse_graph(fmt::format("graph test opset {}\n", opset) + body, find_op);
  check_types(graph);
  return graph;
}

// Runs one pass and cleans up as the pipeline does. Returns its rewrites.
inline int run(int (*pass)(Graph&, Notes&), Graph& graph, Notes* notes = nullptr) {
  Notes ignored;
  const int rewrites = pass(graph, notes ? *notes : ignored);
  graph.remove_dead();
  graph.sort();
  check_types(graph);
  return rewrites;
}

}  // namespace octet::passes::testing
