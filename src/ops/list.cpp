// The one place that names every operator.
#include "ops/list.h"

#include <algorithm>
#include <array>

#include "ops/arithmetic.h"
#include "ops/attention.h"
#include "ops/batch_normalization.h"
#include "ops/cast.h"
#include "ops/clip.h"
#include "ops/compare.h"
#include "ops/concat.h"
#include "ops/constant.h"
#include "ops/conv.h"
#include "ops/conv_transpose.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/gelu.h"
#include "ops/layer_normalization.h"
#include "ops/lp_normalization.h"
#include "ops/matmul.h"
#include "ops/pad.h"
#include "ops/quantize.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/resize.h"
#include "ops/scatter.h"
#include "ops/shape.h"
#include "ops/slice.h"
#include "ops/softmax.h"
#include "ops/transpose.h"
#include "ops/trilu.h"
#include "ops/unary.h"
#include "ops/where.h"

namespace octet {
namespace {

template <class... Ops>
auto table() {
  std::array<const OpDef*, sizeof...(Ops)> all{&op_def<Ops>()...};
  std::sort(all.begin(), all.end(), [](const OpDef* a, const OpDef* b) { return a->name < b->name; });
  return all;
}

const auto& ops_by_name() {
  static const auto all =
      table<Abs, Add, And, ArgMax, Attention, BatchNormalization, Cast, CastLike, Clip, Concat, Constant, ConstantOfShape, Conv,
            ConvTranspose, CumSum, DequantizeLinear, Div, Equal, Erf, Exp, Expand, Flatten, Gather, GatherElements, GatherND, Gelu, Gemm,
            Greater, GreaterOrEqual, Identity, IsNaN, LayerNormalization, Less, LessOrEqual, LpNormalization, MatMul, Max, Min, Mul, Neg,
            Not, Or, Pad, Pow, QuantizeLinear, QuickGelu, RangeOp, Reciprocal, ReduceL2, ReduceMax, ReduceMean, ReduceMin, ReduceProd,
            ReduceSum, Relu, Reshape, Resize, ScatterND, ShapeOp, Sigmoid, SizeOp, Slice, Softmax, Split, Sqrt, Squeeze, Sub, Tanh, Tile,
            Transpose, Trilu, Unsqueeze, Where>();
  return all;
}

constexpr std::string_view kTrtQuantize = "TRT_FP8QuantizeLinear";

// The standard spelling of an operator of TensorRT's custom domain; empty if it has none.
std::string_view standard_name(std::string_view name) {
  if (name == kTrtQuantize || name == QuantizeLinear::kName) return QuantizeLinear::kName;
  if (name == "TRT_FP8DequantizeLinear" || name == DequantizeLinear::kName) return DequantizeLinear::kName;
  return {};
}

}  // namespace

std::span<const OpDef* const> all_ops() { return ops_by_name(); }

const OpDef* find_op(std::string_view name, std::string_view domain) {
  if (domain == "ai.onnx") domain = {};
  if (domain == "trt") name = standard_name(name), domain = {};
  const auto all = all_ops();
  const auto found =
      std::lower_bound(all.begin(), all.end(), name, [](const OpDef* def, std::string_view wanted) { return def->name < wanted; });
  return found != all.end() && (*found)->name == name && (*found)->domain == domain ? *found : nullptr;
}

std::shared_ptr<void> make_attributes(std::string_view name, std::string_view domain) {
  const OpDef* def = find_op(name, domain);
  if (def == nullptr) return nullptr;
  auto attributes = def->make();
  if (domain == "trt" && name == kTrtQuantize) static_cast<QuantizeLinear*>(attributes.get())->output_dtype = onnx_number(DType::e4m3);
  return attributes;
}

}  // namespace octet
