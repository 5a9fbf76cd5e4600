// A model exported for one batch size, made one for every batch size.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"

namespace octet::passes {

// The first axis of every graph input becomes the symbol "batch". Follows it through the graph and mends what has the old size
// baked in: shape constants of Reshape and Expand, constants that are concatenated with it, and the row offsets of a Gather over
// flattened items. Every output then has the batch on its first axis. Returns one line a change; none if it was dynamic before.
// Error{kUnsupported} naming the node that picks or mixes items, {kInvalid} for inputs of different batch or type errors.
std::vector<std::string> make_batch_dynamic(Graph& graph);

}  // namespace octet::passes
