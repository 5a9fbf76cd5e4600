// The part of a Hugging Face CLIPModel config.json that shapes its graph. Next: frontends/clip.h.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "frontends/config_values.h"

namespace octet {

struct ClipConfig {
  TransformerConfig text, vision;
  int64_t projection = 0;
  int64_t vocabulary = 0, positions = 0, eos_token_id = 0;  // text
  int64_t image_size = 0, patch = 0, channels = 3;          // vision
  int64_t patches() const { return (image_size / patch) * (image_size / patch); }
};

// Missing keys take CLIPModel's defaults. Throws Error{kInvalid} for values no CLIP can have (heads that do not divide the
// width, a patch larger than the image), Error{kUnsupported} for another model_type or activation.
ClipConfig read_clip_config(const nlohmann::json& config);

}  // namespace octet
