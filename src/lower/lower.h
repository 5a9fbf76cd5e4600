// Graph -> plan: fused, target-neutral steps, then memory. The graph comes from passes::run_pipeline. One matcher an operation:
// lower/match_*.cpp; each starts at an anchor node and takes every neighbour that folds into the step.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "plan/plan.h"

namespace octet {

// `source`: the node names and edges of the model file, before passes (see record_source). Throws Error{kUnsupported} that lists
// every node no step covers, each with the reason; nothing falls back silently.
struct LowerOptions {
  bool fuse_attention = true;  // off: scores, softmax and values are steps of their own, and their results go through memory
};
std::shared_ptr<plan::Plan> lower(const Graph& graph, plan::Source source, const LowerOptions& options = {});

// The nodes that lower() would name, without its error: each with why, in the order of the graph. Empty: lower() takes the graph.
struct Uncovered {
  NodeId id = kNone;
  std::string node, op, why;  // why: "" where the matchers have no reason of their own
};
std::vector<Uncovered> uncovered_nodes(const Graph& graph);

// The model's graph without tensors. Gives every node a unique name first (a node may have none, or another's), which is its source
// name too, so that steps are told apart and can be traced back.
plan::Source record_source(Graph& graph);

}  // namespace octet
