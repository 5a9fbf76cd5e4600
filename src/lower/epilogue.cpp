#include "lower/epilogue.h"

#include "ops/arithmetic.h"
#include "ops/gelu.h"

namespace octet::lowering {
namespace {

// The residual can be added if it is an activation of the same type that an earlier step has written.
bool is_residual(const Lowering& l, ValueId value, ValueId result) {
  const auto at = l.locate(value);
  return at && at->scale == 1 && l.graph.value(value).type == l.graph.value(result).type &&
         l.plan.buffers[at->buffer].dtype == l.graph.value(value).type->dtype;
}

plan::Activation activation_of(const Node& node) {
  if (node.as<QuickGelu>()) return plan::Activation::kQuickGelu;
  if (const auto* gelu = node.as<Gelu>()) return gelu->approximate == "tanh" ? plan::Activation::kGeluTanh : plan::Activation::kGeluErf;
  return plan::Activation::kNone;
}

}  // namespace

bool extend(const Lowering& l, Epilogue& epilogue) {
  NodeId id = kNone;
  const Node* node = l.only_consumer(epilogue.result, &id);
  if (!node || epilogue.residual != kNone) return false;
  const size_t other = node->inputs.size() == 2 && node->inputs[0] == epilogue.result ? 1 : 0;
  if (node->as<Add>()) {
    const HostTensor* c = l.float_constant(node->inputs[other]);
    const bool plain = epilogue.activation == plan::Activation::kNone && epilogue.mul == 1;
    if (c && plain && !epilogue.bias && c->count() == epilogue.width && c->dims().back() == epilogue.width) {
      epilogue.bias = c;
      epilogue.bias_name = l.graph.value(node->inputs[other]).name;
    } else if (!c && is_residual(l, node->inputs[other], epilogue.result)) {
      epilogue.residual = node->inputs[other];
    } else {
      return false;
    }
  } else if (const auto act = activation_of(*node); act != plan::Activation::kNone) {
    if (epilogue.activation != plan::Activation::kNone || epilogue.mul != 1) return false;
    epilogue.activation = act;
  } else if (const HostTensor* c = node->as<Mul>() ? l.float_constant(node->inputs[other]) : nullptr; c && c->count() > 1) {
    const bool plain = epilogue.activation == plan::Activation::kNone && epilogue.mul == 1;
    if (!plain || epilogue.factor || c->count() != epilogue.width || c->dims().back() != epilogue.width) return false;
    epilogue.factor = c;
    epilogue.factor_on_bias = epilogue.bias != nullptr;
  } else if (const auto c = node->as<Mul>() ? l.scalar_constant(node->inputs[other]) : std::nullopt) {
    epilogue.mul *= *c;
  } else {
    return false;
  }
  epilogue.nodes.push_back(id);
  epilogue.result = node->outputs[0];
  return true;
}

}  // namespace octet::lowering
