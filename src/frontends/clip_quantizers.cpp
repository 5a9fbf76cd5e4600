#include "frontends/clip_quantizers.h"

#include <initializer_list>

#include "base/error.h"

namespace octet {
namespace {

constexpr const char* kVersion = "0.47.0";  // whose names and keys these are
constexpr const char *kInput = ".input_quantizer", *kWeight = ".weight_quantizer", *kOutput = ".output_quantizer";

class Quantizers {
 public:
  explicit Quantizers(bool per_channel) : per_channel_(per_channel) { state.modelopt_version = kVersion; }

  void off(const std::string& module, std::initializer_list<const char*> which) {
    for (const char* name : which) add(module + name, false);
  }
  void on(const std::string& name) { add(name, true); }
  void linear(const std::string& module) {
    on(module + kInput);
    on(module + kWeight);
    if (per_channel_) state.by_name.at(module + kWeight).axis = 0;
    off(module, {kOutput});
  }
  void norm(const std::string& module) { off(module, {kInput, kOutput}); }
  void table(const std::string& module) { off(module, {kInput, kWeight, kOutput}); }

  void tower(const std::string& name, int64_t layers, bool attention) {
    for (int64_t i = 0; i < layers; ++i) {
      const std::string layer = fmt::format("{}.encoder.layers.{}", name, i);
      norm(layer + ".layer_norm1");
      norm(layer + ".layer_norm2");
      for (const char* module :
           {".self_attn.q_proj", ".self_attn.k_proj", ".self_attn.v_proj", ".self_attn.out_proj", ".mlp.fc1", ".mlp.fc2"})
        linear(layer + module);
      for (const char* which : {".q_bmm_quantizer", ".k_bmm_quantizer", ".v_bmm_quantizer", ".bmm2_output_quantizer"})
        add(layer + ".self_attn" + which, attention);
      off(layer + ".self_attn", {".softmax_quantizer"});
    }
  }

  QuantState state;

 private:
  void add(const std::string& name, bool enabled) {
    QuantizerState q;
    q.name = name;
    q.enabled = enabled;
    if (enabled) q.exponent_bits = 4, q.mantissa_bits = 3, q.trt_high_precision_dtype = "Half";
    state.by_name[name] = std::move(q);
  }
  bool per_channel_;
};

}  // namespace

QuantRecipe parse_quant_recipe(const std::string& name) {
  if (name == "fp8") return QuantRecipe::kFp8;
  if (name == "fp8-linear") return QuantRecipe::kFp8Linear;
  throw Error(Code::kUsage, fmt::format("recipe `{}` is not one of fp8, fp8-linear", name));
}

QuantState clip_quantizers(const ClipConfig& config, QuantRecipe recipe, bool per_channel) {
  const bool attention = recipe == QuantRecipe::kFp8;
  Quantizers q(per_channel);
  q.table("text_model.embeddings.token_embedding");
  q.table("text_model.embeddings.position_embedding");
  q.tower("text_model", config.text.layers, attention);
  q.norm("text_model.final_layer_norm");
  q.linear("text_projection");
  q.table("vision_model.embeddings.patch_embedding");
  q.table("vision_model.embeddings.position_embedding");
  q.norm("vision_model.pre_layrnorm");
  q.tower("vision_model", config.vision.layers, attention);
  q.norm("vision_model.post_layernorm");
  q.linear("visual_projection");
  return std::move(q.state);
}

}  // namespace octet
