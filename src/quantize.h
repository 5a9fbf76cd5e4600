// Ranges for a checkpoint's quantizers, and the checkpoint that carries them: what `octet quantize` does between reading its inputs
// and printing. Next: calibrate.h (where activation ranges come from), quant/observer.h (how they are chosen).
#pragma once
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "calibrate.h"
#include "frontends/checkpoint.h"
#include "frontends/clip_quantizers.h"

namespace octet {

// One quantizer that is on, and what it does to the values it was chosen from.
struct QuantizedTensor {
  std::string quantizer;
  bool weight = false;
  int64_t ranges = 1;  // more than one: per channel
  float amax = 0;      // as stored: rounded to the checkpoint's type; the greatest of all channels
  float observed = 0;  // the greatest magnitude there was
  QuantError error;
};

struct QuantizeOptions {
  QuantRecipe recipe = QuantRecipe::kFp8;
  RangeMethod method = RangeMethod::kMax;  // of activations; weights too, but kPercentile leaves them at their greatest value
  bool per_channel = false;
};
// The range of one activation; Error{kInvalid} if nothing was observed, or it is beyond `dtype`, in which it is stored.
QuantizedTensor choose_activation_range(const std::string& name, const Observer& observer, RangeMethod method, DType dtype);
// Those of a weight [outputs, inputs]: one for each output, or one for all.
struct WeightRanges {
  QuantizedTensor told;
  std::vector<float> ranges;
};
WeightRanges choose_weight_ranges(const std::string& name, const HostTensor& weight, bool per_channel, RangeMethod method);
using ObserverByQuantizer = std::map<std::string, const Observer*, std::less<>>;
ObserverByQuantizer by_quantizer(std::span<const CalibrationSite> sites);

struct QuantizedModel {
  QuantState state;                      // every range filled in, in the checkpoint's float type
  std::vector<QuantizedTensor> tensors;  // in the order of their names
};
// `sites`: of both towers, observed. Ranges that the checkpoint has already are ignored. Error{kInvalid} where a quantizer saw
// nothing, or its range is beyond the float type of the checkpoint.
QuantizedModel choose_ranges(const Checkpoint& checkpoint, std::span<const CalibrationSite> sites, const QuantizeOptions& options);

// As ModelOpt's save_pretrained leaves it: model.safetensors in one file, with `_amax` tensors; modelopt_state.pth; the other .json and
// .txt files of the checkpoint copied. Error{kUsage} if `directory` is the checkpoint's own.
void write_quantized_checkpoint(const Checkpoint& checkpoint, const QuantState& state, const std::filesystem::path& directory);

}  // namespace octet
