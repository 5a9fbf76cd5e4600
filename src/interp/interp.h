// Runs a graph node by node with the operators' references: the `onnx` oracle, slow and plain. Every node rounds its
// outputs to their types, as the standard says. Next: interp/fold.h.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace octet {

struct InterpOptions {
  // Receives every value a node produces, as soon as it exists (graph inputs and constants are not reported).
  std::function<void(ValueId value, const HostTensor& tensor)> on_value;
};

// `inputs` in the order of graph.inputs. Returns the graph's outputs in order. Nodes must be in topological order; types
// need not be inferred. A tensor is freed after its last use.
// Throws Error{kInvalid} on a wrong number, type or shape of inputs (symbols must agree between inputs), Error{kUnsupported}
// on an output above 2^31 bytes; what a node throws gains "while running node `NAME` (OP)".
std::vector<HostTensor> interpret(const Graph& graph, std::span<const HostTensor> inputs, const InterpOptions& options = {});

}  // namespace octet
