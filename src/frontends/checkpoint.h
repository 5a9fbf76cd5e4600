// A Hugging Face checkpoint directory, quantized by ModelOpt or not: config.json, model.safetensors (or its shards), and
// modelopt_state.pth with the `_amax` tensors joined by name, or the scales of a unified export (unified_export.h).
// Next: frontends/clip.h builds graphs from it.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "formats/safetensors.h"
#include "quant/state.h"

namespace octet {

struct Checkpoint {
  std::filesystem::path dir;
  nlohmann::json config;  // an object
  Safetensors tensors;
  QuantState quant;                // empty when the checkpoint is not quantized
  std::vector<std::string> notes;  // one line each: what its form leaves out, and what that means for the graph

  const HostTensor& tensor(std::string_view name) const { return tensors.at(name); }  // Error{kInvalid} names the nearest
  // The enabled quantizer of that name; nullptr when it is disabled or there is none.
  const QuantizerState* quantizer(std::string_view name) const;
};

// Some writers name a tower twice (transformers 5: text_model.text_model.encoder...): `name` with the tower named once.
std::string without_doubled_tower(const std::string& name);

// Missing file: Error{kIo}. Error{kInvalid} when state and tensors contradict each other: an enabled static quantizer without
// `_amax` (but for attention's softmax_quantizer, which needs none), an `_amax` without quantizer or without modelopt_state.pth, an amax
// that is negative, not finite, 0 though its weight is not (or of an activation), or neither one element nor one for each index of the
// quantizer's axis. Error{kUnsupported} for other forms of quantization (a unified export of another type than FP8, `_pre_quant_scale`).
Checkpoint load_checkpoint(const std::filesystem::path& dir);

}  // namespace octet
