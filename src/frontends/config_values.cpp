#include "frontends/config_values.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace octet {

constexpr int64_t kMaxSize = 1 << 20;  // far above any model

int64_t size_at(const nlohmann::json& object, const char* key, int64_t fallback) {
  if (!object.contains(key) || object[key].is_null()) return fallback;
  if (!object[key].is_number_integer()) fail(Code::kInvalid, "config.json: `{}` is not an integer", key);
  const auto value = object[key].get<int64_t>();
  if (value <= 0 || value > kMaxSize) fail(Code::kInvalid, "config.json: `{}` is {}, outside [1, {}]", key, value, kMaxSize);
  return value;
}

std::string text_at(const nlohmann::json& object, const char* key, const std::string& fallback) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : fallback;
}

TransformerConfig transformer_at(const nlohmann::json& object, TransformerConfig fallback, const char* name) {
  TransformerConfig c = fallback;
  c.hidden = size_at(object, "hidden_size", fallback.hidden);
  c.intermediate = size_at(object, "intermediate_size", fallback.intermediate);
  c.layers = size_at(object, "num_hidden_layers", fallback.layers);
  c.heads = size_at(object, "num_attention_heads", fallback.heads);
  c.activation = text_at(object, "hidden_act", fallback.activation);
  if (object.contains("layer_norm_eps") && object["layer_norm_eps"].is_number()) c.epsilon = object["layer_norm_eps"].get<float>();
  if (c.hidden % c.heads != 0)
    fail(Code::kInvalid, "config.json: {} has hidden_size {} and {} heads, which do not divide it", name, c.hidden, c.heads);
  if (!(c.epsilon > 0 && c.epsilon < 1)) fail(Code::kInvalid, "config.json: {} layer_norm_eps is {}", name, c.epsilon);
  return c;
}

}  // namespace octet
