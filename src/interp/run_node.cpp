// One node on tensors.
#include "interp/run_node.h"

#include "base/error.h"
#include "ops/concat.h"

namespace octet {

Op with_output_count(const Node& node) {
  const auto* split = node.as<Split>();
  const bool sized =
      split == nullptr || split->num_outputs != 0 || !split->split.empty() || (node.inputs.size() > 1 && node.inputs[1] != kNone);
  if (sized) return node.op;
  Split counted = *split;
  counted.num_outputs = static_cast<int64_t>(node.outputs.size());
  return make_op(std::move(counted));
}

std::vector<HostTensor> run_node(const Node& node, std::span<const HostTensor* const> in, int opset) {
  const Op op = with_output_count(node);
  std::vector<HostTensor> out = op.def().reference(op.attributes(), in, opset);
  if (out.size() < node.outputs.size())
    fail(Code::kInvalid, "it names {} outputs, and {} gives {}", node.outputs.size(), op.name(), out.size());
  return out;
}

}  // namespace octet
