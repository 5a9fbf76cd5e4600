// Values of a config.json, checked as they are read. Next: clip_config.h.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace octet {

// An integer in [1, 2^20], which keeps every later size product inside 64 bits; `fallback` if the key is missing or null.
// Error{kInvalid} otherwise.
int64_t size_at(const nlohmann::json& object, const char* key, int64_t fallback);
// A string; `fallback` if there is none of that key.
std::string text_at(const nlohmann::json& object, const char* key, const std::string& fallback);

// What the layers of a transformer have in common.
struct TransformerConfig {
  int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0;
  std::string activation;  // quick_gelu | gelu | gelu_pytorch_tanh / gelu_new
  float epsilon = 1e-5f;
  int64_t head_dim() const { return hidden / heads; }
};
// hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, hidden_act and layer_norm_eps of `object`; missing ones from
// `fallback`. Error{kInvalid}, naming `name`, for heads that do not divide the width and an epsilon outside (0, 1).
TransformerConfig transformer_at(const nlohmann::json& object, TransformerConfig fallback, const char* name);

}  // namespace octet
