#include "frontends/clip_config.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace octet {
namespace {

const nlohmann::json& section(const nlohmann::json& config, const char* key) {
  static const nlohmann::json kEmpty = nlohmann::json::object();
  if (!config.contains(key) || config[key].is_null()) return kEmpty;
  if (!config[key].is_object()) fail(Code::kInvalid, "config.json: `{}` is not an object", key);
  return config[key];
}

}  // namespace

ClipConfig read_clip_config(const nlohmann::json& config) {
  const std::string type = text_at(config, "model_type", "");
  if (type != "clip")
    throw Error(Code::kUnsupported, fmt::format("config.json: model_type is `{}`; this reads `clip`", type),
                "export the model to ONNX and compile that");
  const auto& text = section(config, "text_config");
  const auto& vision = section(config, "vision_config");
  ClipConfig c;
  c.text = transformer_at(text, {512, 2048, 12, 8, "quick_gelu", 1e-5f}, "text_config");
  c.vision = transformer_at(vision, {768, 3072, 12, 12, "quick_gelu", 1e-5f}, "vision_config");
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
