// An engine's layers as TensorRT's engine inspector prints them, for the tools that read its JSON: exec --exportLayerInfo and
// --dumpLayerInfo, `octet inspect --json`. A layer is a step of the plan. Every string is valid UTF-8 in the text that dump_json() gives.
//
//   {"Layers": [...], "Bindings": ["pixel_values", "image_embeds"]}
//   layer (kDetailed): Name, LayerType, Inputs [tensor], Constants, Outputs [tensor], ParameterType and what the operation has (M, N, K,
//     Weights {Type, Count}, Bias, HasBias, HasResidual, Activation; Heads, HeadDim, Causal; ...), TacticName (the kernel), TacticValue
//     (a hash of its name), StreamId, Metadata "[ONNX Layer: a]\x1f[ONNX Layer: b]" (the ONNX nodes it stands for, Q/DQ included);
//     ours: Precision (of the products), Problem, Notes, Refused.
//   tensor: {Name, Location, Dimensions, "Format/Datatype": "Row major linear FP16 format"}
// Of 11 also "I/O Tensors", and a tensor's Format and Datatype apart, as TensorRT 11 has them.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/backend.h"

namespace octet::profile {

enum class Verbosity { kNone, kLayerNamesOnly, kDetailed };  // kLayerNamesOnly: a layer is its name; kNone: no layers
struct LayerInfoOptions {
  Verbosity verbosity = Verbosity::kDetailed;
  int64_t batch = 0;  // 0: dimensions of -1 there, as of a dynamic engine without a context
  int compat = 10;    // 10 or 11: which TensorRT's keys
};

nlohmann::ordered_json layer_info(const plan::Plan& plan, const Executable& executable, const LayerInfoOptions& options = {});
// Indented text; bytes that are no UTF-8 become U+FFFD.
std::string dump_json(const nlohmann::ordered_json& json);

}  // namespace octet::profile
