#include "profile/layer_info.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "plan/uses.h"
#include "profile/work.h"

namespace octet::profile {
namespace {

using Json = nlohmann::ordered_json;

// TensorRT's names of types: in "Format/Datatype", and of an engine's tensors.
struct TypeName {
  const char *format, *datatype;
};
TypeName type_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return {"FP32", "Float"};
    case DType::f16:
      return {"FP16", "Half"};
    case DType::bf16:
      return {"BF16", "BFloat16"};
    case DType::e4m3:
      return {"FP8", "FP8"};
    case DType::e5m2:
      return {"FP8 E5M2", "FP8 E5M2"};
    case DType::e8m0:
      return {"E8M0", "E8M0"};
    case DType::i8:
      return {"INT8", "Int8"};
    case DType::u8:
      return {"UINT8", "UInt8"};
    case DType::i32:
      return {"INT32", "Int32"};
    case DType::i64:
      return {"INT64", "Int64"};
    case DType::boolean:
      return {"BOOL", "Bool"};
    case DType::f64:
      return {"FP64", "Double"};
  }
  return {"?", "?"};
}

class Inspector {
 public:
  Inspector(const plan::Plan& plan, const Executable& executable, const LayerInfoOptions& options)
      : plan_(plan), executable_(executable), options_(options) {}

  Json document() const {
    Json out{{"Layers", Json::array()}};
    for (size_t i = 0; i < plan_.steps.size() && options_.verbosity != Verbosity::kNone; ++i)
      out["Layers"].push_back(options_.verbosity == Verbosity::kDetailed ? layer(i) : Json(plan_.steps[i].name));
    Json names = Json::array(), tensors = Json::array();
    for (const bool input : {true, false})
      for (const plan::Binding& binding : input ? plan_.inputs : plan_.outputs) {
        names.push_back(binding.name);
        tensors.push_back(io_tensor(binding, input));
      }
    if (options_.compat >= 11) out["I/O Tensors"] = tensors;
    else out["Bindings"] = names;
    return out;
  }

 private:
  Json dims_of(plan::Id id) const {
    Json dims = Json::array({options_.batch > 0 ? options_.batch : -1});
    for (const int64_t dim : plan_.buffers[id].dims) dims.push_back(dim);
    return dims;
  }
  Json tensor(plan::Id id) const {
    const auto [format, datatype] = type_name(plan_.buffers[id].dtype);
    Json out{{"Name", plan_.buffers[id].name}, {"Location", "Device"}, {"Dimensions", dims_of(id)}};
    if (options_.compat >= 11) out["Format"] = "Row major linear", out["Datatype"] = datatype;
    else out["Format/Datatype"] = fmt::format("Row major linear {} format", format);
    return out;
  }
  Json io_tensor(const plan::Binding& binding, bool input) const {
    Json out{{"Name", binding.name}, {"IOMode", input ? "Input" : "Output"}};
    out["DataType"] = type_name(plan_.buffers[binding.buffer].dtype).datatype;
    out["Dimensions"] = dims_of(binding.buffer);
    out["Location"] = "Device";
    out["IsShapeInferenceIO"] = false;
    return out;
  }
  Json weights(plan::Id id) const {
    if (id == plan::kNoId) return {{"Type", "Float"}, {"Count", 0}};
    int64_t count = 1;
    for (const int64_t dim : plan_.weights[id].dims) count *= dim;
    return {{"Type", type_name(plan_.weights[id].dtype).datatype}, {"Count", count}};
  }

  void describe(const plan::Embed& op, Json& out) const { out["Weights"] = weights(op.token), out["Positions"] = weights(op.position); }
  void describe(const plan::PatchEmbed& op, Json& out) const {
    out["Kernel"] = {op.patch, op.patch}, out["Stride"] = {op.patch, op.patch};
    out["Weights"] = weights(op.weight), out["Bias"] = weights(op.bias);
    out["HasBias"] = op.bias != plan::kNoId, out["HasClassToken"] = op.class_token != plan::kNoId;
  }
  void describe(const plan::Norm& op, Json& out) const {
    out["Rows"] = rows(op.rows), out["Cols"] = op.cols, out["Epsilon"] = op.epsilon, out["HasBias"] = op.beta != plan::kNoId;
  }
  void describe(const plan::Gemm& op, Json& out) const {
    out["M"] = rows(op.rows), out["N"] = op.n, out["K"] = op.k;
    out["Weights"] = weights(op.weight), out["Bias"] = weights(op.bias);
    out["HasBias"] = op.bias != plan::kNoId, out["HasResidual"] = op.residual != plan::kNoId;
    out["Activation"] = op.activation == plan::Activation::kNone ? "NONE" : std::string(plan::name_of(op.activation));
  }
  void describe(const plan::Attention& op, Json& out) const {
    out["Heads"] = op.heads, out["HeadDim"] = op.head_dim, out["Tokens"] = op.tokens, out["Causal"] = op.causal != 0;
    out["QuantizedSoftmax"] = op.p_scale > 0;
  }
  void describe(const plan::Pool& op, Json& out) const { out["Rows"] = op.rows, out["Cols"] = op.cols; }
  void describe(const plan::L2Normalize& op, Json& out) const { out["Cols"] = op.cols, out["Epsilon"] = op.epsilon; }
  template <class Op>
  void describe(const Op&, Json&) const {}  // its problem says it all
  // Of a whole run, or of one item of a dynamic batch.
  int64_t rows(uint32_t per_item) const { return per_item * std::max<int64_t>(options_.batch, 1); }

  std::string metadata(size_t step) const {
    std::string text;
    if (step >= plan_.source.steps.size()) return text;
    for (const uint32_t node : plan_.source.steps[step])
      text += fmt::format("{}[ONNX Layer: {}]", text.empty() ? "" : "\x1f", plan_.source.nodes[node].name);
    return text;
  }

  Json layer(size_t i) const {
    const plan::Step& step = plan_.steps[i];
    const int64_t batch = std::max<int64_t>(options_.batch, 1);
    const std::string kernel = options_.batch > 0 ? executable_.kernel(i, batch) : executable_.choices()[i].kernel;
    Json out{{"Name", step.name}, {"LayerType", plan::kind_of(step.op)}};
    out["Inputs"] = out["Constants"] = Json::array();
    plan::Id last = plan::kNoId;  // q, k and v of one buffer are one input
    for (const plan::Id id : plan::reads_of(step.op))
      if (id != last) out["Inputs"].push_back(tensor(last = id));
    for (const plan::Id id : plan::weights_of(step.op)) out["Constants"].push_back(plan_.weights[id].name);
    out["Outputs"] = Json::array({tensor(plan::out_of(step.op))});
    out["ParameterType"] = plan::kind_of(step.op);
    std::visit([&](const auto& op) { describe(op, out); }, step.op);
    out["TacticName"] = kernel;
    out["TacticValue"] = fmt::format("0x{:016x}", xxh3_128(std::as_bytes(std::span(kernel))).low);
    out["StreamId"] = 0;
    out["Metadata"] = metadata(i);
    out["Precision"] = work_of(plan_, step.op, batch).precision;
    out["Problem"] = plan::problem_of(plan_, step, batch);
    out["Notes"] = step.notes;
    out["Refused"] = executable_.choices()[i].refused;
    return out;
  }

  const plan::Plan& plan_;
  const Executable& executable_;
  const LayerInfoOptions& options_;
};

}  // namespace

Json layer_info(const plan::Plan& plan, const Executable& executable, const LayerInfoOptions& options) {
  return Inspector(plan, executable, options).document();
}

std::string dump_json(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace octet::profile
