#include "quantize.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/file.h"
#include "base/log.h"
#include "formats/torch_zip/torch_zip.h"
#include "frontends/weights.h"
#include "quant/scale.h"

namespace octet {
namespace {

constexpr std::string_view kWeightQuantizer = ".weight_quantizer";
constexpr const char *kStateFile = "modelopt_state.pth", *kIndexFile = "model.safetensors.index.json";

// Rounded as it is stored, and checked to give a scale that engines can use.
float stored(float amax, DType dtype) {
  const auto value = static_cast<float>(from_f32(dtype, {}, std::vector<float>{amax}).at(0));
  const float scale = e4m3_scale(value);
  if (!std::isfinite(value) || !std::isfinite(scale) || !(scale > 0)) fail(Code::kInvalid, "a range of {} has no scale in f16", amax);
  return value;
}

QuantizedTensor quantize_weight(const Checkpoint& checkpoint, QuantizerState& quantizer, RangeMethod method) {
  const std::string module = quantizer.name.substr(0, quantizer.name.size() - kWeightQuantizer.size());
  const HostTensor& weight = checkpoint.tensor(module + ".weight");
  WeightRanges chosen = choose_weight_ranges(quantizer.name, weight, quantizer.axis.has_value(), method);
  const std::vector<int64_t> dims = quantizer.axis ? std::vector<int64_t>{chosen.told.ranges, 1} : std::vector<int64_t>{};
  quantizer.amax = from_f32(weight.dtype(), dims, chosen.ranges);
  return std::move(chosen.told);
}

QuantizedTensor quantize_activation(QuantizerState& quantizer, const Observer& observer, RangeMethod method, DType dtype) {
  QuantizedTensor out = choose_activation_range(quantizer.name, observer, method, dtype);
  quantizer.amax = from_f32(dtype, {}, std::vector<float>{out.amax});
  return out;
}

void copy_other_files(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    const auto name = entry.path().filename(), extension = name.extension();
    if (!entry.is_regular_file() || (extension != ".json" && extension != ".txt") || name == kIndexFile) continue;
    write_text(to / name, MappedFile::open(entry.path())->text());
  }
}

}  // namespace

QuantizedTensor choose_activation_range(const std::string& name, const Observer& observer, RangeMethod method, DType dtype) {
  if (observer.count() == 0) fail(Code::kInvalid, "calibration saw none of its values");
  QuantizedTensor out{name, false, 1, stored(observer.range(method), dtype), observer.amax(), {}};
  out.error = observer.error_at(e4m3_scale(out.amax));
  return out;
}

WeightRanges choose_weight_ranges(const std::string& name, const HostTensor& weight, bool per_channel, RangeMethod method) {
  const std::vector<float> values = to_f32(weight);
  const int64_t channels = per_channel ? weight.dims().at(0) : 1;
  const auto width = values.size() / static_cast<size_t>(channels);
  WeightRanges out{{name, true, channels, 0, 0, {}}, {}};
  Observer observer;
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    observer.clear();
    observer.add(std::span(values).subspan(c * width, width));
    out.ranges.push_back(stored(observer.range(method == RangeMethod::kPercentile ? RangeMethod::kMax : method), weight.dtype()));
    out.told.amax = std::max(out.told.amax, out.ranges.back());
    out.told.observed = std::max(out.told.observed, observer.amax());
    out.told.error.add(observer.error_at(e4m3_scale(out.ranges.back())));
  }
  return out;
}

ObserverByQuantizer by_quantizer(std::span<const CalibrationSite> sites) {
  ObserverByQuantizer observers;
  for (const CalibrationSite& site : sites)
    for (const std::string& name : site.quantizers) observers[name] = &site.observer;
  return observers;
}

QuantizedModel choose_ranges(const Checkpoint& checkpoint, std::span<const CalibrationSite> sites, const QuantizeOptions& options) {
  QuantizedModel model;
  model.state = clip_quantizers(read_clip_config(checkpoint.config), options.recipe, options.per_channel);
  const auto observers = by_quantizer(sites);
  const DType dtype = checkpoint.tensor("text_projection.weight").dtype();
  int64_t done = 0;
  for (auto& [name, quantizer] : model.state.by_name) {
    progress("choosing ranges", ++done, static_cast<int64_t>(model.state.by_name.size()));
    if (!quantizer.enabled) continue;
    with_context([&] { return "choosing the range of " + name; },
                 [&] {
                   if (name.ends_with(kWeightQuantizer))
                     return model.tensors.push_back(quantize_weight(checkpoint, quantizer, options.method));
                   const auto found = observers.find(name);
                   if (found == observers.end()) fail(Code::kInvalid, "calibration saw none of its values");
                   model.tensors.push_back(quantize_activation(quantizer, *found->second, options.method, dtype));
                 });
  }
  return model;
}

void write_quantized_checkpoint(const Checkpoint& checkpoint, const QuantState& state, const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail(Code::kIo, "cannot create {}: {}", directory.string(), error.message());
  if (std::filesystem::equivalent(checkpoint.dir, directory, error))
    throw Error(Code::kUsage, fmt::format("{} is the checkpoint itself", directory.string()), "write to another directory");
  std::map<std::string, const HostTensor*> tensors;  // in the order of names, as Hugging Face writes them
  for (const std::string& name : checkpoint.tensors.names())
    if (!name.ends_with("._amax")) tensors[name] = &checkpoint.tensor(name);
  for (const auto& [name, quantizer] : state.by_name)
    if (quantizer.amax) tensors[name + "._amax"] = &*quantizer.amax;
  std::vector<TensorSpec> specs;
  for (const auto& [name, tensor] : tensors) specs.push_back({name, tensor->dtype(), tensor->dims()});
  write_safetensors(directory / "model.safetensors", specs, {{"format", "pt"}}, [&](size_t i) {
    progress("writing weights", static_cast<int64_t>(i) + 1, static_cast<int64_t>(specs.size()));
    return *tensors.at(specs[i].name);
  });
  write_torch_zip(directory / kStateFile, make_modelopt_state(state));
  copy_other_files(checkpoint.dir, directory);
}

}  // namespace octet
