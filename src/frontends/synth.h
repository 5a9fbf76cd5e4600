// A CLIP checkpoint with a real model's shape and random weights of trained-like statistics, FP8 quantizers included: for timing
// and sizes at full scale without a download. Linears, q, k, v and attention outputs are quantized, as ModelOpt's recipe does.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace octet {

std::vector<std::string> synth_models();  // "clip-vit-b-32", "clip-vit-l-14", "clip-vit-l-14-336", "clip-vit-h-14"
// Writes config.json, preprocessor_config.json, model.safetensors (f16) and modelopt_state.pth. The same seed gives the same
// bytes. Throws Error{kUsage} for an unknown model.
void write_synth_checkpoint(const std::string& model, uint64_t seed, const std::filesystem::path& directory);

}  // namespace octet
