// Graph -> plan: fused, target-neutral steps, then memory. The graph comes from passes::run_pipeline. One matcher an operation:
// lower/match_*.cpp; each starts at an anchor node and takes every neighbour that folds into the step.
#pragma once
#include <memory>

#include "ir/graph.h"
#include "plan/plan.h"

namespace octet {

// `source`: the node names and edges of the model file, before passes (see record_source). Throws Error{kUnsupported} that lists
// every node no step covers, each with the reason; nothing falls back silently.
struct LowerOptions {
  bool fuse_attention = true;  // off: scores, softmax and values are steps of their own, and their results go through memory
};
std::shared_ptr<plan::Plan> lower(const Graph& graph, plan::Source source, const LowerOptions& options = {});

// The model's graph without tensors. Gives every node a unique source name first, so that steps can be traced back.
plan::Source record_source(Graph& graph);

}  // namespace octet
