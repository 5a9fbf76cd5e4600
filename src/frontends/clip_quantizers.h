// Which quantizers a CLIP checkpoint carries under a recipe: the names, formats and switches that ModelOpt 0.47 gives the same
// model after mtq.quantize, with diffusers' attention registered on CLIPAttention. ModelOpt restores a state only when its names are
// exactly those of the model, so those that are off are listed too. Next: quantize.h fills in the ranges.
#pragma once
#include <string>

#include "frontends/clip_config.h"
#include "quant/state.h"

namespace octet {

enum class QuantRecipe {
  kFp8,        // linears and attention: q, k, v and the attention output (the softmax needs no range: it lies in [0, 1])
  kFp8Linear,  // linears only
};
QuantRecipe parse_quant_recipe(const std::string& name);  // fp8 fp8-linear; throws Error{kUsage}

// Patch embedding, token and position tables and LayerNorms stay in the float type. `per_channel`: one range an output of a linear.
// No range is filled in.
QuantState clip_quantizers(const ClipConfig& config, QuantRecipe recipe, bool per_channel);

}  // namespace octet
