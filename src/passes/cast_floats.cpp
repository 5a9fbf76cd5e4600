#include "passes/cast_floats.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/cast.h"
#include "ops/constant.h"
#include "ops/quantize.h"

namespace octet::passes {

HostTensor retyped(const HostTensor& tensor, DType to) {
  const double limit = to == DType::f16 ? 65504.0 : 3.3895313892515355e38;  // the largest of f16, of bf16
  const bool half = to == DType::f16 || to == DType::bf16;
  HostTensor out(to, tensor.dims());
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const double value = tensor.at(i);
    out.set(i, std::isfinite(value) && half ? std::clamp(value, -limit, limit) : value);
  }
  return out;
}

void cast_floats(Graph& graph, DType to) {
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    Value& value = graph.value(id);
    if (!value.type || value.type->dtype != DType::f32) continue;
    value.type->dtype = to;
    if (value.constant) value.constant = retyped(*value.constant, to);
  }
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    if (node.dead) continue;
    if (const auto* cast = node.as<Cast>(); cast && cast->to == DType::f32) node.op = make_op(Cast{.to = to});
    if (const auto* fill = node.as<ConstantOfShape>(); fill && fill->value.dtype() == DType::f32)
      node.op = make_op(ConstantOfShape{retyped(fill->value, to)});
    if (!node.as<QuantizeLinear>() && !node.as<DequantizeLinear>()) continue;
    const HostTensor* scale = graph.constant_of(node.inputs[1]);
    for (int64_t i = 0; scale && i < scale->count(); ++i)
      if (!(scale->at(i) > 0)) fail(Code::kInvalid, "a scale of {} is 0 in {}", graph.label(id), to);
  }
  check_types(graph);
}

}  // namespace octet::passes
