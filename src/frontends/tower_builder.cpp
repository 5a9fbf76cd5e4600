#include "frontends/tower_builder.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.h"
#include "frontends/weights.h"
#include "ops/arithmetic.h"
#include "ops/gelu.h"
#include "ops/layer_normalization.h"
#include "ops/lp_normalization.h"
#include "ops/matmul.h"
#include "ops/quantize.h"
#include "ops/reshape.h"
#include "ops/softmax.h"
#include "ops/transpose.h"
#include "ops/unary.h"
#include "quant/scale.h"

namespace octet {
namespace {

DType dtype_of(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return DType::bf16;
    case Precision::kFp32:
      return DType::f32;
    default:
      return DType::f16;
  }
}

float amax_of(const QuantizerState& quantizer) {
  float amax = 0;
  for (int64_t i = 0; i < quantizer.amax->count(); ++i) amax = std::max(amax, static_cast<float>(quantizer.amax->at(i)));
  return amax;
}

bool is_e4m3(const QuantizerState* q) { return q && q->enabled && q->exponent_bits == 4 && q->mantissa_bits == 3 && q->amax; }

}  // namespace

TowerBuilder::TowerBuilder(const Checkpoint& checkpoint, const ClipExportOptions& options, std::string name)
    : checkpoint_(checkpoint), options_(options), dtype_(dtype_of(options.precision)) {
  graph.name = std::move(name);
  graph.producer = "octet";
  graph.opset = options.opset;
}

ValueId TowerBuilder::parameter(const std::string& name, const std::vector<int64_t>& dims) {
  if (const ValueId known = graph.find(name); known != kNone) return known;
  return graph.add_constant(name, cast_tensor(checkpoint_tensor(checkpoint_, name, dims), dtype_));
}

ValueId TowerBuilder::constant(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
  return graph.add_constant(name, from_f32(dtype_, dims, values));
}

ValueId TowerBuilder::integers(const std::string& name, const std::vector<int64_t>& values) {
  const auto count = static_cast<int64_t>(values.size());
  return graph.add_constant(name, HostTensor::of<int64_t>(DType::i64, {count}, values));
}

ValueId TowerBuilder::layer_norm(ValueId x, const std::string& module, int64_t width, float epsilon) {
  const ValueId gamma = parameter(module + ".weight", {width});
  const ValueId beta = parameter(module + ".bias", {width});
  return graph.add(make_op(LayerNormalization{.axis = -1, .epsilon = epsilon}), {x, gamma, beta}, module + ".out", module);
}

ValueId TowerBuilder::scale(float amax, const std::string& name) {
  const float rounded = e4m3_scale(amax);
  if (!(rounded > 0) || !std::isfinite(rounded)) fail(Code::kInvalid, "scale `{}`: amax {} / 448 is not a positive f16 number", name, amax);
  return graph.add_constant(name, from_f32(DType::f16, {}, std::vector<float>{rounded}));
}

ValueId TowerBuilder::quantize(ValueId x, float amax, const std::string& name) {
  const ValueId s = scale(amax, name + ".scale");
  const ValueId zero =
      graph.find("e4m3_zero") != kNone ? graph.find("e4m3_zero") : graph.add_constant("e4m3_zero", HostTensor(DType::e4m3, {}));
  QuantizeLinear q;
  if (graph.opset >= 23) q.precision = onnx_number(DType::f32);  // divide in f32 at every opset: one checkpoint, one set of codes
  const ValueId codes = graph.add(make_op(q), {x, s, zero}, name + ".codes", name + ".q");
  // The zero point is given to the DQ too: onnxruntime (1.32) moves a DQ without one across a Transpose as u8, which ruins the values.
  return graph.add(make_op(DequantizeLinear{}), {codes, s, zero}, name + ".dq", name + ".dq");
}

bool TowerBuilder::fp8_linear(const std::string& module) const {
  return options_.precision == Precision::kFp8 && is_e4m3(checkpoint_.quantizer(module + ".input_quantizer")) &&
         is_e4m3(checkpoint_.quantizer(module + ".weight_quantizer"));
}

const QuantizerState* TowerBuilder::fp8_quantizer(const std::string& name) {
  const QuantizerState* quantizer = checkpoint_.quantizer(name);
  if (!is_e4m3(quantizer)) return nullptr;
  used_.insert(name);
  return quantizer;
}

ValueId TowerBuilder::quantize_input(ValueId x, const std::string& module) {
  if (!fp8_linear(module)) return x;
  return quantize(x, amax_of(*fp8_quantizer(module + ".input_quantizer")), module + ".input");
}

ValueId TowerBuilder::weight(const std::string& module, int64_t in, int64_t out) {
  const HostTensor& w = checkpoint_tensor(checkpoint_, module + ".weight", {out, in});
  if (!fp8_linear(module)) {
    if (options_.precision == Precision::kFp8)
      notes.push_back(module + ": stays " + std::string(name_of(dtype_)) + ", its quantizers are off or not E4M3");
    return graph.add_constant(module + ".weight", transpose(cast_tensor(w, dtype_)));
  }
  const HostTensor& amax = *fp8_quantizer(module + ".weight_quantizer")->amax;
  const bool per_channel = amax.count() > 1;
  if (per_channel && amax.count() != out)
    fail(Code::kInvalid, "{}.weight_quantizer._amax has {} elements, the weight {} rows", module, amax.count(), out);
  std::vector<float> scales;
  for (int64_t i = 0; i < amax.count(); ++i) {
    const auto value = static_cast<float>(amax.at(i));
    scales.push_back(e4m3_scale(value));
    if (!(scales.back() > 0) || !std::isfinite(scales.back()))
      fail(Code::kInvalid, "{}.weight_quantizer._amax is {}: / 448 it is not a positive f16 number", module, value);
  }
  const std::vector<int64_t> dims = per_channel ? std::vector<int64_t>{out} : std::vector<int64_t>{};
  const ValueId s = graph.add_constant(module + ".weight.scale", from_f32(DType::f16, dims, scales));
  const ValueId codes = graph.add_constant(module + ".weight", quantize_transposed(w, scales, options_.modelopt_rounding));
  DequantizeLinear dq;
  dq.axis = 1;  // of [in, out]; without meaning for a scalar scale
  return graph.add(make_op(dq), {codes, s}, module + ".weight.dq", module + ".weight.dq");
}

ValueId TowerBuilder::linear(ValueId x, const std::string& module, int64_t in, int64_t out, bool bias) {
  const ValueId y = graph.add(make_op(MatMul{}), {x, weight(module, in, out)}, module + ".matmul", module);
  if (!bias) return y;
  return graph.add(make_op(Add{}), {y, parameter(module + ".bias", {out})}, module + ".out", module + ".add_bias");
}

ValueId TowerBuilder::activation(ValueId x, const std::string& kind, const std::string& name) {
  if (kind == "gelu") return graph.add(make_op(Gelu{}), {x}, name + ".out", name);
  if (kind == "gelu_pytorch_tanh" || kind == "gelu_new") return graph.add(make_op(Gelu{.approximate = "tanh"}), {x}, name + ".out", name);
  if (kind != "quick_gelu")
    throw Error(Code::kUnsupported, fmt::format("hidden_act `{}` is not one of quick_gelu, gelu, gelu_pytorch_tanh, gelu_new", kind));
  // quick_gelu(x) = x * sigmoid(1.702 x): spelt in standard ops, fused again by the compiler.
  const ValueId factor =
      graph.find("quick_gelu.factor") != kNone ? graph.find("quick_gelu.factor") : constant("quick_gelu.factor", {}, {1.702f});
  const ValueId scaled = graph.add(make_op(Mul{}), {x, factor}, name + ".scaled", name + ".scale");
  const ValueId gate = graph.add(make_op(Sigmoid{}), {scaled}, name + ".gate", name + ".sigmoid");
  return graph.add(make_op(Mul{}), {x, gate}, name + ".out", name);
}

std::optional<TowerBuilder::AttentionSites> TowerBuilder::attention_sites(const AttentionModules& modules, int64_t head_dim) {
  const std::string& module = modules.self;
  if (options_.precision != Precision::kFp8) return std::nullopt;
  if (!options_.fp8_attention) {
    notes.push_back(module + ": attention in f16, as asked");
    return std::nullopt;
  }
  const auto* q = fp8_quantizer(module + ".q_bmm_quantizer");
  const auto* k = fp8_quantizer(module + ".k_bmm_quantizer");
  const auto* v = fp8_quantizer(module + ".v_bmm_quantizer");
  const auto* p = fp8_quantizer(module + ".p_bmm_quantizer");  // of ModelOpt's Hugging Face plug-in
  // The attention output is the output projection's input: either quantizer names its range.
  const auto* out = fp8_quantizer(module + ".bmm2_output_quantizer");
  if (!out && fp8_linear(modules.out)) out = fp8_quantizer(modules.out + ".input_quantizer");
  if (!q || !k || !v) {
    // FP8 for some of them would be slower than for none, and no compiler fuses it: all or nothing, and said.
    std::string missing;
    for (const auto& [which, quantizer] : {std::pair{"q", q}, std::pair{"k", k}, std::pair{"v", v}})
      if (!quantizer) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", which);
    notes.push_back(fmt::format("{}: attention in f16: no FP8 quantizer on {}{}", module, missing,
                                q || k || v ? "; what others the checkpoint has are left out, half an FP8 attention is none" : ""));
    return std::nullopt;
  }
  const float head_scale = options_.modelopt_scales ? 1.0f : std::pow(static_cast<float>(head_dim), -0.25f);
  AttentionSites sites{amax_of(*q) * head_scale, amax_of(*k) * head_scale, amax_of(*v), 1, {}};
  if (p) sites.p = amax_of(*p);  // else the softmax's own bound
  used_.insert(module + ".softmax_quantizer");
  if (out) sites.output = amax_of(*out);
  if (const auto* in = fp8_linear(modules.out) ? fp8_quantizer(modules.out + ".input_quantizer") : nullptr;
      in && amax_of(*in) != sites.output)
    notes.push_back(module + ": its output has two ranges, bmm2_output_quantizer's is taken");
  return sites;
}

float TowerBuilder::shared_amax(const AttentionModules& modules) {
  float widest = 0;
  bool differ = false;
  for (const std::string& module : {modules.q, modules.k, modules.v}) {
    if (!fp8_linear(module)) continue;
    const float amax = amax_of(*fp8_quantizer(module + ".input_quantizer"));
    differ |= widest > 0 && amax != widest;
    widest = std::max(widest, amax);
  }
  if (differ) notes.push_back(modules.self + ": q, k and v read one tensor, but their input quantizers differ: the widest range is taken");
  return widest;
}

ValueId TowerBuilder::split_heads(ValueId x, const std::string& name, int64_t tokens, const TransformerConfig& config,
                                  std::vector<int64_t> perm) {
  const std::string shape = fmt::format("heads.{}x{}x{}", tokens, config.heads, config.head_dim());
  const ValueId dims = graph.find(shape) != kNone ? graph.find(shape) : integers(shape, {0, tokens, config.heads, config.head_dim()});
  const ValueId split = graph.add(make_op(Reshape{}), {x, dims}, name + ".heads", name + ".split");
  return graph.add(make_op(Transpose{.perm = std::move(perm)}), {split}, name + ".bhsd", name + ".transpose");
}

ValueId TowerBuilder::attention(ValueId x, const AttentionModules& modules, const TransformerConfig& config, int64_t tokens, ValueId mask) {
  const std::string& module = modules.self;
  const int64_t width = config.hidden, head_dim = config.head_dim();
  const auto sites = attention_sites(modules, head_dim);
  ValueId quantized = kNone;  // one Q/DQ of x serves q, k and v: they read the same tensor
  const auto project = [&](const std::string& name) {
    if (fp8_linear(name) && quantized == kNone) quantized = quantize(x, shared_amax(modules), name + ".input");
    return linear(fp8_linear(name) ? quantized : x, name, width, width, true);
  };
  const auto multiply = [&](ValueId value, float factor, const std::string& name) {
    const std::string constant_name = fmt::format("head_scale.{}", factor);
    const ValueId c = graph.find(constant_name) != kNone ? graph.find(constant_name) : constant(constant_name, {}, {factor});
    return graph.add(make_op(Mul{}), {value, c}, name + ".scaled", name + ".scale");
  };
  ValueId q = split_heads(project(modules.q), module + ".q", tokens, config, {0, 2, 1, 3});
  ValueId k = split_heads(project(modules.k), module + ".k", tokens, config, {0, 2, 3, 1});
  ValueId v = split_heads(project(modules.v), module + ".v", tokens, config, {0, 2, 1, 3});
  if (sites) {
    const float root = std::pow(static_cast<float>(head_dim), -0.25f);
    q = quantize(multiply(q, root, module + ".q"), sites->q, module + ".q");
    k = quantize(multiply(k, root, module + ".k"), sites->k, module + ".k");
    v = quantize(v, sites->v, module + ".v");
  } else {
    q = multiply(q, 1 / std::sqrt(static_cast<float>(head_dim)), module + ".q");
  }
  ValueId scores = graph.add(make_op(MatMul{}), {q, k}, module + ".scores", module + ".qk");
  if (mask != kNone) scores = graph.add(make_op(Add{}), {scores, mask}, module + ".masked", module + ".mask");
  ValueId p = graph.add(make_op(Softmax{}), {scores}, module + ".softmax.out", module + ".softmax");
  if (sites) p = quantize(p, sites->p, module + ".p");
  ValueId o = graph.add(make_op(MatMul{}), {p, v}, module + ".pv.out", module + ".pv");
  const bool fp8_out = fp8_linear(modules.out);
  const bool quantized_output = sites && sites->output;
  if (quantized_output) o = quantize(o, *sites->output, module + ".output");
  o = graph.add(make_op(Transpose{.perm = {0, 2, 1, 3}}), {o}, module + ".bshd", module + ".merge.transpose");
  const std::string shape = fmt::format("merged.{}x{}", tokens, width);
  const ValueId dims = graph.find(shape) != kNone ? graph.find(shape) : integers(shape, {0, tokens, width});
  o = graph.add(make_op(Reshape{}), {o, dims}, module + ".merged", module + ".merge");
  if (fp8_out && !quantized_output) o = quantize_input(o, modules.out);
  return linear(o, modules.out, width, width, true);
}

ValueId TowerBuilder::transformer_layer(ValueId x, const std::string& prefix, const TransformerConfig& config, int64_t tokens,
                                        ValueId mask) {
  const ValueId normed = layer_norm(x, prefix + ".layer_norm1", config.hidden, config.epsilon);
  const std::string self = prefix + ".self_attn";
  const AttentionModules modules{self, self + ".q_proj", self + ".k_proj", self + ".v_proj", self + ".out_proj"};
  const ValueId attended = attention(normed, modules, config, tokens, mask);
  x = graph.add(make_op(Add{}), {attended, x}, prefix + ".attention_residual", prefix + ".add_attention");
  const std::string fc1 = prefix + ".mlp.fc1", fc2 = prefix + ".mlp.fc2";
  ValueId h = layer_norm(x, prefix + ".layer_norm2", config.hidden, config.epsilon);
  h = linear(quantize_input(h, fc1), fc1, config.hidden, config.intermediate, true);
  h = activation(h, config.activation, prefix + ".mlp.activation");
  h = linear(quantize_input(h, fc2), fc2, config.intermediate, config.hidden, true);
  return graph.add(make_op(Add{}), {h, x}, prefix + ".out", prefix + ".add_mlp");
}

ValueId TowerBuilder::normalize(ValueId x) {
  return options_.normalize ? graph.add(make_op(LpNormalization{.axis = -1, .p = 2}), {x}, "normalized", "normalize") : x;
}

void TowerBuilder::note_unused(std::initializer_list<std::string_view> modules) {
  if (options_.precision != Precision::kFp8) return;
  std::map<std::string, int> found;  // by name, layer numbers left out
  for (const auto& [name, quantizer] : checkpoint_.quant.by_name) {
    const bool mine = std::ranges::any_of(modules, [&](std::string_view m) { return std::string_view(name).starts_with(m); });
    // What an attention leaves out, its own note says.
    const bool of_attention = name.ends_with("_bmm_quantizer") || name.ends_with("bmm2_output_quantizer");
    if (!mine || !quantizer.enabled || of_attention || used_.count(name)) continue;
    std::string pattern;
    for (const auto& part : split(name, '.'))
      pattern.append(pattern.empty() ? "" : ".")
          .append(std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; }) ? "*" : part);
    ++found[pattern];
  }
  for (const auto& [pattern, count] : found)
    notes.push_back(fmt::format("{}: {} quantizer{} without a place in this graph: what {} would round stays {}", pattern, count,
                                count == 1 ? "" : "s", count == 1 ? "it" : "they", name_of(dtype_)));
}

ClipGraph TowerBuilder::finish(ValueId output, const std::string& output_name) {
  graph.rename(output, output_name);
  graph.mark_output(output);
  check_types(graph);
  return {std::move(graph), std::move(notes)};
}

}  // namespace octet
