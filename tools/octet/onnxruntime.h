// The same model on onnxruntime, through a Python that has it: another's arithmetic to compare with.
#pragma once
#include "npy_inputs.h"

namespace octet::cli {

// Runs `model` node by node (no graph optimisation) on the CPU and gives those of `tensors` that it has, f16 as such and all else as f32,
// outputs included. Inputs in the model's own types. Error{kUnsupported} where `python` cannot import onnxruntime, onnx and numpy, or
// onnxruntime cannot run the model.
NamedTensors run_onnxruntime(const std::string& python, const std::filesystem::path& model, const NamedTensors& inputs,
                             const std::vector<std::string>& tensors);

}  // namespace octet::cli
