// A picture of bytes: what lies between a u8 input and the patch convolution becomes a table of what each byte stands for. It is made by
// running those very nodes on every byte once, so any spelling of a normalisation folds, to the bit.
#include <array>
#include <numeric>

#include "lower/lowering.h"
#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/transpose.h"

namespace octet::lowering {
namespace {

constexpr int64_t kRank = 4, kSide = 16;  // kSide^2 pixels: every byte once
constexpr int64_t kLastChannel = 3;       // of [batch, H, W, C]
static_assert(kSide * kSide == plan::kPixelValues);

bool is_arithmetic(const Node& node) { return node.as<Add>() || node.as<Sub>() || node.as<Mul>() || node.as<Div>(); }

// Walks from the convolution to the input. axes[i]: which axis of the value at hand is axis i of what the convolution reads.
class Walk {
 public:
  Walk(const Lowering& l, int64_t channels) : l_(l), channels_(channels) {}

  // The next value towards the input; kNone, with the reason, if `value` is not made as a table can tell.
  ValueId before(ValueId value) {
    const NodeId id = l_.producer_id(value);
    const Node& node = l_.graph.node(id);
    ValueId next = kNone;
    if (node.as<Cast>()) next = node.inputs[0];
    else if (const auto* transpose = node.as<Transpose>()) next = through(node, *transpose);
    else if (is_arithmetic(node)) next = operand(node);
    else why = fmt::format("`{}` ({}) between the picture and it is no Cast, Transpose, Add, Sub, Mul or Div", node.name, node.op.name());
    if (next != kNone && !l_.only_consumer(value)) why = fmt::format("`{}` has other readers", l_.graph.value(value).name), next = kNone;
    if (next != kNone) nodes.push_back(id);
    return next;
  }

  std::string why;
  std::vector<NodeId> nodes;  // the convolution's side first
  std::array<int64_t, kRank> axes{0, 1, 2, 3};

 private:
  ValueId through(const Node& node, const Transpose& transpose) {
    if (transpose.perm.size() != kRank) return why = fmt::format("`{}` is no transpose of a picture", node.name), kNone;
    for (int64_t& axis : axes) axis = transpose.perm[static_cast<size_t>(axis)];
    return node.inputs[0];
  }
  // The operand that is no constant, if the other is one number a channel, or one for all.
  ValueId operand(const Node& node) {
    for (const size_t side : {0u, 1u}) {
      const HostTensor* constant = l_.graph.constant_of(node.inputs[1 - side]);
      if (!constant || l_.graph.constant_of(node.inputs[side])) continue;
      for (int64_t i = 0; i < constant->rank(); ++i) {
        const int64_t extent = constant->dims()[static_cast<size_t>(i)], axis = i + kRank - constant->rank();
        if (extent != 1 && (axis != axes[1] || extent != channels_))
          return why = fmt::format("`{}`, which `{}` reads, is not one number a channel", l_.graph.value(node.inputs[1 - side]).name,
                                   node.name),
                 kNone;
      }
      return node.inputs[side];
    }
    return why = fmt::format("`{}` is not arithmetic with a constant", node.name), kNone;
  }

  const Lowering& l_;
  int64_t channels_;
};

// [C, 256]: what the nodes, the input's first, make of each byte.
HostTensor run_on_every_byte(const Graph& graph, const std::vector<NodeId>& nodes, int64_t channels) {
  HostTensor picture(DType::u8, {1, kSide, kSide, channels});
  for (int64_t i = 0; i < picture.count(); ++i) picture.set_int(i, i / channels);
  for (const NodeId id : nodes) {
    const Node& node = graph.node(id);
    std::vector<const HostTensor*> in;
    for (const ValueId input : node.inputs) in.push_back(graph.constant_of(input) ? graph.constant_of(input) : &picture);
    picture = node.op.def().reference(node.op.attributes(), in, graph.opset).at(0);
  }
  return picture.reshaped({channels, plan::kPixelValues});
}

}  // namespace

std::optional<PictureTable> picture_table(const Lowering& l, ValueId value, std::string& why) {
  const auto& type = l.graph.value(value).type;
  if (type->shape.size() != kRank || !type->shape[1].is_static()) return why = "it reads no picture of known channels", std::nullopt;
  const int64_t channels = type->shape[1].value;
  Walk walk(l, channels);
  ValueId at = value;
  while (at != kNone && l.producer_id(at) != kNone) at = walk.before(at);
  if (at == kNone) return why = walk.why, std::nullopt;
  const auto located = l.locate(at);
  const auto& input = l.graph.value(at);
  if (!located || input.type->dtype != DType::u8)
    return why = fmt::format("its pixels are computed from `{}`, which is {}: only those of a u8 input fold", input.name,
                             to_string(*input.type)),
           std::nullopt;
  if (walk.axes != std::array<int64_t, kRank>{0, kLastChannel, 1, 2})
    return why = fmt::format("`{}` is not [batch, H, W, C]: the kernels read bytes as decoders write them", input.name), std::nullopt;
  const std::vector<NodeId> forward(walk.nodes.rbegin(), walk.nodes.rend());
  return PictureTable{located->buffer, run_on_every_byte(l.graph, forward, channels), forward};
}

}  // namespace octet::lowering
