// The pieces transformer towers are made of: parameters in the graph's float type, quantization sites, linears, a transformer layer.
//
// FP8 sites follow TensorRT's rules: activations Q then DQ per tensor; weights stored as E4M3 [in, out] behind a DQ;
// scales in f16 = round(amax / 448). q, k and v share one Q/DQ of the LayerNorm output. q and k are multiplied by
// head_dim^-1/4 each before their Q, so that the scale of the scores is not applied after the FP8 product.
#pragma once
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "frontends/clip.h"

namespace octet {

class TowerBuilder {
 public:
  TowerBuilder(const Checkpoint& checkpoint, const ClipExportOptions& options, std::string name);

  DType dtype() const { return dtype_; }
  // A checkpoint tensor converted to the graph's float type (a view when it already has it); dims must be `dims`.
  ValueId parameter(const std::string& name, const std::vector<int64_t>& dims);
  ValueId constant(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values);
  ValueId integers(const std::string& name, const std::vector<int64_t>& values);
  ValueId layer_norm(ValueId x, const std::string& module, int64_t width, float epsilon);
  // x through the Q/DQ of the module's input quantizer; x itself where the module stays in the float type.
  ValueId quantize_input(ValueId x, const std::string& module);
  // y = x W^T + b, W in E4M3 behind a DQ where the module's input and weight quantizers are on. x comes from quantize_input.
  ValueId linear(ValueId x, const std::string& module, int64_t in, int64_t out, bool bias);
  // [batch, tokens, width] -> same. `mask`: value added to the scores ([1, 1, tokens, tokens]) or kNone.
  ValueId transformer_layer(ValueId x, const std::string& prefix, const TransformerConfig& config, int64_t tokens, ValueId mask);
  // What the parts of an attention are called: "X.self_attn" with its q_proj, k_proj, v_proj and out_proj.
  struct AttentionModules {
    std::string self, q, k, v, out;
  };
  // softmax(q k^T / sqrt(head_dim) + mask) v of projections of x, through the output projection; without residual.
  ValueId attention(ValueId x, const AttentionModules& modules, const TransformerConfig& config, int64_t tokens, ValueId mask);
  ValueId activation(ValueId x, const std::string& kind, const std::string& name);
  ValueId normalize(ValueId x);  // L2, if the options ask for it
  // Notes the enabled quantizers of these modules ("text_model.", ...) that no part of the graph stands for.
  void note_unused(std::initializer_list<std::string_view> modules);
  ClipGraph finish(ValueId output, const std::string& output_name);

  Graph graph;
  std::vector<std::string> notes;

 private:
  struct AttentionSites {
    float q, k, v, p;
    std::optional<float> output;
  };  // amax of the tensors that are quantized
  std::optional<AttentionSites> attention_sites(const AttentionModules& modules, int64_t head_dim);
  ValueId split_heads(ValueId x, const std::string& name, int64_t tokens, const TransformerConfig& config, std::vector<int64_t> perm);
  ValueId quantize(ValueId x, float amax, const std::string& name);    // Q then DQ at amax / 448
  ValueId scale(float amax, const std::string& name);                  // f16 scalar amax / 448
  ValueId weight(const std::string& module, int64_t in, int64_t out);  // [in, out]: E4M3 and DQ, or the float type
  bool fp8_linear(const std::string& module) const;
  // The enabled E4M3 quantizer of that name, which then counts as used; nullptr if there is none.
  const QuantizerState* fp8_quantizer(const std::string& name);
  // The one range of a tensor that q, k and v read, each with a quantizer of its own: the widest.
  float shared_amax(const AttentionModules& modules);

  const Checkpoint& checkpoint_;
  ClipExportOptions options_;
  DType dtype_;
  std::set<std::string, std::less<>> used_;  // quantizers
};

}  // namespace octet
