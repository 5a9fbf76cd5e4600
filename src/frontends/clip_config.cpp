#include "frontends/clip_config.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace octet {
namespace {

// Far above any CLIP; a bound keeps every later size product inside 64 bits.
constexpr int64_t kMaxSize = 1 << 20;

int64_t size_at(const nlohmann::json& object, const char* key, int64_t fallback) {
  if (!object.contains(key) || object[key].is_null()) return fallback;
  if (!object[key].is_number_integer()) fail(Code::kInvalid, "config.json: `{}` is not an integer", key);
  const auto value = object[key].get<int64_t>();
  if (value <= 0 || value > kMaxSize) fail(Code::kInvalid, "config.json: `{}` is {}, outside [1, {}]", key, value, kMaxSize);
  return value;
}

const nlohmann::json& section(const nlohmann::json& config, const char* key) {
  static const nlohmann::json kEmpty = nlohmann::json::object();
  if (!config.contains(key) || config[key].is_null()) return kEmpty;
  if (!config[key].is_object()) fail(Code::kInvalid, "config.json: `{}` is not an object", key);
  return config[key];
}

ClipTowerConfig tower(const nlohmann::json& object, ClipTowerConfig fallback, const char* name) {
  ClipTowerConfig c;
  c.hidden = size_at(object, "hidden_size", fallback.hidden);
  c.intermediate = size_at(object, "intermediate_size", fallback.intermediate);
  c.layers = size_at(object, "num_hidden_layers", 12);
  c.heads = size_at(object, "num_attention_heads", fallback.heads);
  c.activation = object.contains("hidden_act") && object["hidden_act"].is_string() ? object["hidden_act"].get<std::string>() : "quick_gelu";
  if (object.contains("layer_norm_eps") && object["layer_norm_eps"].is_number()) c.epsilon = object["layer_norm_eps"].get<float>();
  if (c.hidden % c.heads != 0)
    fail(Code::kInvalid, "config.json: {} has hidden_size {} and {} heads, which do not divide it", name, c.hidden, c.heads);
  if (!(c.epsilon > 0 && c.epsilon < 1)) fail(Code::kInvalid, "config.json: {} layer_norm_eps is {}", name, c.epsilon);
  return c;
}

}  // namespace

ClipConfig read_clip_config(const nlohmann::json& config) {
  const std::string type = config.contains("model_type") && config["model_type"].is_string() ? config["model_type"].get<std::string>() : "";
  if (type != "clip")
    throw Error(Code::kUnsupported, fmt::format("config.json: model_type is `{}`; octet's checkpoint frontend reads `clip`", type),
                "export the model to ONNX and compile that");
  const auto& text = section(config, "text_config");
  const auto& vision = section(config, "vision_config");
  ClipConfig c;
  c.text = tower(text, {512, 2048, 12, 8, {}, 1e-5f}, "text_config");
  c.vision = tower(vision, {768, 3072, 12, 12, {}, 1e-5f}, "vision_config");
  c.projection = size_at(config, "projection_dim", 512);
  c.vocabulary = size_at(text, "vocab_size", 49408);
  c.positions = size_at(text, "max_position_embeddings", 77);
  c.eos_token_id = size_at(text, "eos_token_id", 49407);
  c.image_size = size_at(vision, "image_size", 224);
  c.patch = size_at(vision, "patch_size", 32);
  c.channels = size_at(vision, "num_channels", 3);
  if (c.patch > c.image_size) fail(Code::kInvalid, "config.json: patch_size {} exceeds image_size {}", c.patch, c.image_size);
  if (c.image_size % c.patch != 0)
    fail(Code::kUnsupported, "config.json: patch_size {} does not divide image_size {}", c.patch, c.image_size);
  return c;
}

}  // namespace octet
