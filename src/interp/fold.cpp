// Constant evaluation, with a bound on the memory and the work that a small file can ask for.
#include "interp/fold.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "interp/run_node.h"
#include "ops/conv.h"
#include "ops/elements.h"
#include "ops/matmul.h"

namespace octet {
namespace {

constexpr int64_t kMaxBytes = int64_t{64} << 20;
constexpr int64_t kMaxWork = int64_t{1} << 28;  // multiplications: about half a second

// Multiplications for one output element.
int64_t work_per_element(const Node& node, ops::Inputs in) {
  int64_t work = 1;
  if (node.op.is<MatMul>()) work = in[0]->dims().back();
  if (const auto* gemm = node.as<Gemm>()) work = in[0]->dims()[gemm->transA != 0 ? 0 : 1];
  if (node.op.is<Conv>()) work = ops::product_of(in[1]->dims(), 1, in[1]->dims().size());
  return std::max<int64_t>(work, 1);
}

bool is_small(const Node& node, ops::Inputs in, int opset) {
  const Op op = with_output_count(node);
  const auto rule = [&](InferContext& context) { return op.def().infer(op.attributes(), context); };
  int64_t left = kMaxBytes;
  for (const TensorType& type : ops::output_types(rule, in, opset, static_cast<int>(node.outputs.size()))) {
    const int64_t count = element_count(static_dims(type.shape));
    left -= count * static_cast<int64_t>(size_of(type.dtype));
    if (left < 0 || count > kMaxWork / work_per_element(node, in)) return false;
  }
  return true;
}

}  // namespace

std::optional<std::vector<HostTensor>> evaluate_constant(const Graph& graph, const Node& node) {
  std::vector<const HostTensor*> in;
  for (const ValueId id : node.inputs) {
    in.push_back(graph.constant_of(id));
    if (id != kNone && in.back() == nullptr) return std::nullopt;
  }
  const auto context = [&] { return fmt::format("folding node `{}` ({})", printable(node.name), node.op.name()); };
  return with_context(context, [&]() -> std::optional<std::vector<HostTensor>> {
    if (!is_small(node, in, graph.opset)) return std::nullopt;
    std::vector<HostTensor> out = run_node(node, in, graph.opset);
    out.resize(node.outputs.size());
    return out;
  });
}

}  // namespace octet
