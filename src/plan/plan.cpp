#include "plan/plan.h"

#include <fmt/format.h>

#include "base/error.h"

namespace octet::plan {
namespace {

struct ProblemOf {
  const Plan& plan;
  int64_t batch;

  std::string_view type(Id buffer) const { return octet::name_of(plan.buffers.at(buffer).dtype); }
  int64_t last(Id buffer) const { return plan.buffers.at(buffer).dims.back(); }

  static std::string epilogue(const auto& op) {
    std::string text;
    if (op.bias != kNoId) text += "+bias";
    if (op.activation != Activation::kNone) text.append("+").append(name_of(op.activation));
    if (op.residual != kNoId) text += "+residual";
    return text;
  }
  std::string operator()(const Embed& op) const {
    return fmt::format("embed:{}:{}x{}x{}{}", type(op.ids), batch, last(op.ids), last(op.out), op.types != kNoId ? "+types" : "");
  }
  std::string operator()(const PatchEmbed& op) const {
    return fmt::format("patch_embed:{}:{}x{}x{}x{}/{}->{}", type(op.pixels), batch, op.channels, op.height, op.width, op.patch,
                       last(op.out));
  }
  std::string operator()(const Norm& op) const {
    return fmt::format("norm:{}->{}:{}x{}", type(op.in), type(op.out), batch * op.rows, op.cols);
  }
  std::string operator()(const Gemm& op) const {
    return fmt::format("gemm:{}x{}->{}:{}x{}x{}{}", type(op.a), octet::name_of(plan.weights.at(op.weight).dtype), type(op.out),
                       batch * op.rows, op.n, op.k, epilogue(op));
  }
  std::string operator()(const Attention& op) const {
    const std::string_view in = type(op.q.buffer);
    std::string text = fmt::format("attention:{}->{}:{}x{}x{}x{}", in, type(op.out), batch, op.heads, op.tokens, op.head_dim);
    if (op.causal) text += "+causal";
    if (op.mask != kNoId) text += "+mask";
    // The usual case goes unsaid: probabilities are e4m3 exactly when q, k and v are.
    if ((op.p_scale > 0) != (in == "e4m3")) text += op.p_scale > 0 ? "+e4m3_p" : "+float_p";
    return text;
  }
  std::string operator()(const Pool& op) const { return fmt::format("pool:{}x{}x{}", batch, op.rows, op.cols); }
  std::string operator()(const L2Normalize& op) const { return fmt::format("l2normalize:{}x{}", batch, op.cols); }
  std::string operator()(const Scores& op) const {
    return fmt::format("scores:{}->{}:{}x{}x{}x{}{}", type(op.q.buffer), type(op.out), batch, op.heads, op.tokens, op.head_dim,
                       op.causal ? "+causal" : "");
  }
  std::string operator()(const Softmax& op) const {
    return fmt::format("softmax:{}->{}:{}x{}{}{}", type(op.in), type(op.out), batch * op.heads * op.tokens, op.tokens,
                       op.causal ? "+causal" : "", op.mask != kNoId ? "+mask" : "");
  }
  std::string operator()(const Values& op) const {
    return fmt::format("values:{}x{}->{}:{}x{}x{}x{}{}", type(op.in), type(op.v.buffer), type(op.out), batch, op.heads, op.tokens,
                       op.head_dim, op.causal ? "+causal" : "");
  }
  std::string operator()(const FakeQuantize& op) const {
    return fmt::format("fake_quantize:{}->{}:{}x{}", type(op.in), type(op.out), batch * op.rows, op.cols);
  }
  std::string operator()(const Pointwise& op) const {
    return fmt::format("pointwise:{}->{}:{}x{}{}", type(op.in), type(op.out), batch * op.rows, op.cols, epilogue(op));
  }
};

}  // namespace

std::string_view name_of(Activation activation) {
  constexpr std::string_view kNames[] = {"none", "quick_gelu", "gelu_erf", "gelu_tanh"};
  const auto index = static_cast<size_t>(activation);
  OCTET_CHECK(index < std::size(kNames), index);
  return kNames[index];
}

std::string_view kind_of(const Operation& op) {
  constexpr std::string_view kKinds[] = {"embed",       "patch_embed", "norm",    "gemm",   "attention",     "pool",
                                         "l2normalize", "scores",      "softmax", "values", "fake_quantize", "pointwise"};
  static_assert(std::size(kKinds) == std::variant_size_v<Operation>);
  return kKinds[op.index()];
}

uint64_t bytes_per_item(const Buffer& buffer) {
  uint64_t bytes = size_of(buffer.dtype);
  for (const int64_t dim : buffer.dims) {
    OCTET_CHECK(dim >= 0 && !__builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes), buffer.name);
  }
  return bytes;
}

std::string problem_of(const Plan& plan, const Step& step, int64_t batch) { return std::visit(ProblemOf{plan, batch}, step.op); }

}  // namespace octet::plan
