// What the two roads of `octet quantize` share: flags, the calibration run, the report.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine_io.h"
#include "quantize.h"

namespace octet::cli {

struct QuantizeFlags {
  std::string model, images, texts, output, recipe = "fp8", method = "max", precision;
  std::vector<std::string> inputs;  // NAME=FILE.npy
  bool per_channel = false, json = false;
  int opset = 0;  // of an ONNX file; 0: the file's own, but at least 20
  DeviceOptions device;
  QuantizeOptions options() const { return {parse_quant_recipe(recipe), parse_range_method(method), per_channel}; }
};

inline constexpr int64_t kCalibrationBatch = 32;

// Runs `plan` step by step over `total` items and observes it. fill(): the next items, one tensor an input of the plan.
std::vector<CalibrationSite> observe(std::shared_ptr<const plan::Plan> plan, const Backend& backend, const DeviceOptions& device,
                                     const char* what, int64_t total, const std::function<std::vector<HostTensor>()>& fill);

// The table, or the JSON (schema octet.quantize/1); `seen`: "pictures" -> how many, ...
using Seen = std::vector<std::pair<std::string, int64_t>>;
void print_quantizers(const QuantizeFlags& flags, const Seen& seen, std::span<const QuantizedTensor> tensors);

int quantize_onnx(const QuantizeFlags& flags);

}  // namespace octet::cli
