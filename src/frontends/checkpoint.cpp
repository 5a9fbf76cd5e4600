#include "frontends/checkpoint.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "formats/json.h"
#include "formats/torch_zip/torch_zip.h"
#include "frontends/unified_export.h"

namespace octet {
namespace {

constexpr std::string_view kAmax = "._amax", kPreQuantScale = "._pre_quant_scale", kWeightQuantizer = ".weight_quantizer";
// Of ModelOpt's attention for diffusers, switched on by its examples: its fused kernel never shows it a tensor, and softmax needs no range.
constexpr std::string_view kSoftmax = ".softmax_quantizer";
constexpr const char* kStateFile = "modelopt_state.pth";
constexpr JsonLimits kConfigLimits{.bytes = 16'000'000, .depth = 32, .values = 100'000, .string_bytes = 1'000'000};

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

nlohmann::json load_config(const std::filesystem::path& dir) {
  auto config = read_json(dir / "config.json", kConfigLimits);
  if (!config.is_object()) fail(Code::kInvalid, "{}: not a JSON object", (dir / "config.json").string());
  return config;
}

void check_values(const HostTensor& amax) {
  if (!is_float(amax.dtype())) fail(Code::kInvalid, "it is {}, not a float", name_of(amax.dtype()));
  if (amax.count() == 0) fail(Code::kInvalid, "it is empty");
  for (int64_t i = 0; i < amax.count(); ++i)
    if (const double value = amax.at(i); !std::isfinite(value) || value < 0)
      fail(Code::kInvalid, "element {} is {}; an amax is finite and >= 0", i, value);
}

// One element, or keep-dims: 1 everywhere but along the quantizer's axis, where it counts like `weight` if there is one.
void check_shape(const QuantizerState& quantizer, const HostTensor& amax, const HostTensor* weight) {
  if (amax.count() == 1 || quantizer.block) return;
  if (!quantizer.axis) fail(Code::kInvalid, "it has {} elements, but its quantizer is per tensor", amax.count());
  const int64_t rank = amax.rank(), axis = *quantizer.axis < 0 ? *quantizer.axis + rank : *quantizer.axis;
  if (axis < 0 || axis >= rank || amax.dims()[static_cast<size_t>(axis)] != amax.count())
    fail(Code::kInvalid, "its shape {} does not lie along axis {}", describe(amax), *quantizer.axis);
  if (weight != nullptr && (weight->rank() != rank || weight->dims()[static_cast<size_t>(axis)] != amax.count()))
    fail(Code::kInvalid, "its shape {} does not match the weight {}", describe(amax), describe(*weight));
}

// A range of 0 is that of zeros alone: of a weight, or of its row, that holds nothing else. Of an activation it means that calibration
// never reached it, and ModelOpt's own export divides by it.
void check_zeros(const HostTensor& amax, const HostTensor* weight) {
  std::vector<float> values;
  for (int64_t i = 0; i < amax.count(); ++i) {
    if (amax.at(i) != 0) continue;
    if (weight == nullptr) fail(Code::kInvalid, "element {} is 0: calibration never reached the tensor; calibrate again", i);
    if (values.empty()) values = to_f32(*weight);
    const bool by_row = amax.count() > 1 && amax.count() == weight->dims()[0];
    const size_t row = by_row ? values.size() / static_cast<size_t>(amax.count()) : values.size();
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(by_row ? static_cast<size_t>(i) * row : 0);
    if (std::any_of(begin, begin + static_cast<std::ptrdiff_t>(row), [](float w) { return w != 0; }))
      fail(Code::kInvalid, "element {} is 0, but the weight is not", i);
  }
}

void attach_amax(Checkpoint& checkpoint, const std::string& tensor_name) {
  const std::string name = tensor_name.substr(0, tensor_name.size() - kAmax.size());
  const auto found = checkpoint.quant.by_name.find(name);
  if (found == checkpoint.quant.by_name.end())
    throw Error(
        Code::kInvalid,
        fmt::format("{}: tensor `{}` belongs to no quantizer of {}", checkpoint.tensors.where(), printable(tensor_name), kStateFile),
        "the two files are not of one save: copy both from the same checkpoint");
  QuantizerState& quantizer = found->second;
  const HostTensor& amax = checkpoint.tensors.at(tensor_name);
  const std::string weight = name.ends_with(kWeightQuantizer) ? name.substr(0, name.size() - kWeightQuantizer.size()) + ".weight" : "";
  with_context([&] { return fmt::format("checking `{}` in {}", printable(tensor_name), checkpoint.tensors.where()); },
               [&] {
                 const HostTensor* values = checkpoint.tensors.has(weight) ? &checkpoint.tensors.at(weight) : nullptr;
                 check_values(amax);
                 check_shape(quantizer, amax, values);
                 if (quantizer.enabled) check_zeros(amax, values);
               });
  quantizer.amax = amax;
}

void attach_ranges(Checkpoint& checkpoint) {
  const bool has_state = is_there(checkpoint.dir / kStateFile);
  for (const auto& name : checkpoint.tensors.names()) {
    if (name.ends_with(kPreQuantScale))
      fail(Code::kUnsupported, "{}: tensor `{}`: octet does not read pre-scaled (AWQ, SmoothQuant) checkpoints", checkpoint.tensors.where(),
           printable(name));
    if (!name.ends_with(kAmax)) continue;
    if (!has_state)
      throw Error(Code::kInvalid,
                  fmt::format("{}: tensor `{}` is of a quantized checkpoint, but there is no {}", checkpoint.tensors.where(),
                              printable(name), kStateFile),
                  fmt::format("copy {} from where the checkpoint was saved", kStateFile));
    attach_amax(checkpoint, name);
  }
  for (const auto& [name, quantizer] : checkpoint.quant.by_name)
    if (quantizer.enabled && !quantizer.dynamic && !quantizer.amax && !name.ends_with(kSoftmax))
      throw Error(Code::kInvalid,
                  fmt::format("{}: quantizer `{}` is enabled, but there is no tensor `{}{}`", checkpoint.tensors.where(), printable(name),
                              printable(name), kAmax),
                  "it was never calibrated, or the files are not of one save: calibrate again, or copy both from the same checkpoint");
}

}  // namespace

const QuantizerState* Checkpoint::quantizer(std::string_view name) const {
  const auto found = quant.by_name.find(name);
  return found == quant.by_name.end() || !found->second.enabled ? nullptr : &found->second;
}

std::string without_doubled_tower(const std::string& name) {
  for (const std::string_view tower : {"text_model.", "vision_model."})
    if (name.starts_with(tower) && std::string_view(name).substr(tower.size()).starts_with(tower)) return name.substr(tower.size());
  return name;
}

Checkpoint load_checkpoint(const std::filesystem::path& dir) {
  Checkpoint out;
  out.dir = dir;
  out.config = load_config(dir);
  out.tensors = open_checkpoint_tensors(dir);
  out.tensors.rename(without_doubled_tower);
  if (const auto state = dir / kStateFile; is_there(state))
    with_context([&] { return "reading " + state.string(); }, [&] { out.quant = read_modelopt_state(read_torch_zip(state)); });
  attach_ranges(out);
  if (is_unified_export(out)) read_unified_export(out);
  return out;
}

}  // namespace octet
