// One node on tensors; shared by interp.cpp and fold.cpp.
#pragma once
#include <span>
#include <vector>

#include "ir/graph.h"

namespace octet {

// The node's operator as its reference needs it: a Split that counts on its outputs gets num_outputs.
Op with_output_count(const Node& node);

// The node's outputs, at least as many as it names. in[i] is nullptr for an omitted input.
std::vector<HostTensor> run_node(const Node& node, std::span<const HostTensor* const> in, int opset);

}  // namespace octet
