// What attentions add to their scores so that keys are not seen: a value that is 0 where an integer input [batch, tokens] is not 0, and
// large and negative where it is.
#include "lower/lowering.h"
#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/compare.h"
#include "ops/expand.h"
#include "ops/reshape.h"
#include "ops/unary.h"
#include "ops/where.h"

namespace octet::lowering {
namespace {

// exp() of it is 0 in every float type beside any score an f16 model can hold.
constexpr double kHides = -1e4;

class MaskTrace {
 public:
  MaskTrace(const Lowering& l, int64_t tokens) : l_(l), tokens_(tokens) {}
  std::optional<ValueId> bias(ValueId value);
  std::vector<NodeId> nodes;

 private:
  // A value that is 1 or true for keys that are seen, or for those that are hidden.
  struct Keys {
    ValueId input;
    bool hidden;
  };

  const Node* take(ValueId value) {
    nodes.push_back(l_.producer_id(value));
    return l_.graph.producer_of(value);
  }
  bool is_constant(ValueId value, auto&& wanted) const {
    const HostTensor* constant = l_.graph.constant_of(value);
    return constant && constant->count() == 1 && wanted(constant->at(0));
  }
  bool hides(ValueId value) const {
    return is_constant(value, [](double x) { return x <= kHides; });
  }
  bool is_number(ValueId value, double number) const {
    return is_constant(value, [&](double x) { return x == number; });
  }
  // One value for each key of an item, in order.
  bool is_row(ValueId value) const {
    const Shape& shape = l_.graph.value(value).type->shape;
    if (shape.empty() || shape[0].is_static()) return false;  // no item has a row of its own
    const auto dims = l_.item_dims(value);
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    return !dims.empty() && count == tokens_ && dims.back() == tokens_;
  }
  bool is_layout(const Node& node) const {
    if (node.as<Expand>()) return is_row(node.inputs[0]);
    return (node.as<Unsqueeze>() || node.as<Reshape>()) && is_row(node.outputs[0]);
  }
  // Behind a row, whatever the shape: the order of elements stays.
  bool keeps_order(const Node& node) const {
    return node.as<Unsqueeze>() || node.as<Squeeze>() || node.as<Reshape>() || node.as<Flatten>();
  }
  // x of And(x, true), as a row.
  ValueId only_condition(const Node& node) const {
    for (size_t side = 0; node.as<And>() && side < 2; ++side) {
      const HostTensor* constant = l_.graph.constant_of(node.inputs[side]);
      bool all = constant != nullptr;
      for (int64_t i = 0; all && i < constant->count(); ++i) all = constant->at_int(i) != 0;
      if (all && is_row(node.inputs[1 - side])) return node.inputs[1 - side];
    }
    return kNone;
  }
  bool between_floats(const Node& node) const {
    return node.as<Cast>() && is_float(l_.graph.value(node.inputs[0]).type->dtype) && is_float(l_.graph.value(node.outputs[0]).type->dtype);
  }
  std::optional<Keys> keys(ValueId value);
  bool is_unseen(ValueId value, ValueId input) {
    const auto found = keys(value);
    return found && found->input == input && found->hidden;
  }

  const Lowering& l_;
  int64_t tokens_;
};

// Layout changes, Casts, Not, Equal(x, 0) and 1 - x of the input.
std::optional<MaskTrace::Keys> MaskTrace::keys(ValueId value) {
  bool hidden = false, row = false;
  for (;;) {
    if (l_.producer_id(value) == kNone && !l_.graph.constant_of(value)) {  // a graph input
      const DType dtype = l_.graph.value(value).type->dtype;
      if ((dtype != DType::i32 && dtype != DType::i64) || l_.item_dims(value) != std::vector<int64_t>{tokens_}) return std::nullopt;
      return Keys{value, hidden};
    }
    const Node* node = take(value);
    if (!node) return std::nullopt;
    row |= is_row(value);
    if (node->as<Cast>() || is_layout(*node) || (row && keeps_order(*node))) {
      value = node->inputs[0];
    } else if (const ValueId condition = only_condition(*node); condition != kNone) {
      value = condition;
    } else if (node->as<Not>()) {
      hidden = !hidden, value = node->inputs[0];
    } else if (node->as<Equal>() && is_number(node->inputs[1], 0)) {
      hidden = !hidden, value = node->inputs[0];
    } else if (node->as<Sub>() && is_number(node->inputs[0], 1)) {
      hidden = !hidden, value = node->inputs[1];
    } else {
      return std::nullopt;
    }
  }
}

// (1 - seen) * hides, or Where between hides and 0; 0 may be the 1 - seen of HF's masked_fill.
std::optional<ValueId> MaskTrace::bias(ValueId value) {
  const Node* node = take(value);
  while (node && (is_layout(*node) || between_floats(*node))) {
    value = node->inputs[0];
    node = take(value);
  }
  if (!node) return std::nullopt;
  if (node->as<Mul>()) {
    for (size_t side = 0; side < 2; ++side) {
      if (!hides(node->inputs[side])) continue;
      const auto found = keys(node->inputs[1 - side]);
      return found && found->hidden ? std::optional(found->input) : std::nullopt;
    }
  } else if (node->as<Where>()) {
    const auto condition = keys(node->inputs[0]);
    if (!condition) return std::nullopt;
    const ValueId when_hidden = node->inputs[condition->hidden ? 1 : 2], when_seen = node->inputs[condition->hidden ? 2 : 1];
    if (!hides(when_hidden) || (!is_number(when_seen, 0) && !is_unseen(when_seen, condition->input))) return std::nullopt;
    return condition->input;
  }
  return std::nullopt;
}

}  // namespace

ValueId key_mask(const Lowering& l, ValueId bias, int64_t tokens, std::vector<NodeId>& nodes) {
  const auto& type = l.graph.value(bias).type;
  if (!type || type->shape.size() != 4 || !type->shape[3].is_static() || type->shape[3].value != tokens) return kNone;
  MaskTrace trace(l, tokens);
  const auto found = trace.bias(bias);
  if (!found) return kNone;
  nodes.insert(nodes.end(), trace.nodes.begin(), trace.nodes.end());
  return *found;
}

}  // namespace octet::lowering
