// model_type, architectures, dtype (as config.json says, or null), clip (null unless read_clip_config takes it: {projection, text
// {layers, hidden, intermediate, heads, activation, vocabulary, positions}, vision {..., image_size, patch, channels}}),
// tensors: Storage (without amax), amax_tensors,
// quantization {modelopt_version, quantizers: {input_quantizer: {on, off, formats: {e4m3: 24}}}}.
#include "base/error.h"
#include "frontends/checkpoint.h"
#include "frontends/clip_config.h"
#include "inspect.h"

namespace octet {
namespace {

Json tower_of(const TransformerConfig& tower) {
  return {{"layers", tower.layers},
          {"hidden", tower.hidden},
          {"intermediate", tower.intermediate},
          {"heads", tower.heads},
          {"activation", tower.activation}};
}

Json clip_of(const nlohmann::json& config) {
  try {
    const ClipConfig clip = read_clip_config(config);
    Json text = tower_of(clip.text), vision = tower_of(clip.vision);
    text["vocabulary"] = clip.vocabulary, text["positions"] = clip.positions;
    vision["image_size"] = clip.image_size, vision["patch"] = clip.patch, vision["channels"] = clip.channels;
    return {{"projection", clip.projection}, {"text", text}, {"vision", vision}};
  } catch (const Error&) {
    return nullptr;
  }
}

std::string format_of(const QuantizerState& quantizer) {
  std::string name = fmt::format("e{}m{}", quantizer.exponent_bits, quantizer.mantissa_bits);
  if (quantizer.exponent_bits == 0 && quantizer.mantissa_bits == 0) name = fmt::format("int{}", quantizer.integer_bits);
  if (quantizer.axis) name += " per axis";
  if (quantizer.block) name += " per block";
  if (quantizer.dynamic) name += " dynamic";
  return name;
}

Json quantization_of(const QuantState& state) {
  Json kinds = Json::object();
  for (const auto& [name, quantizer] : state.by_name) {
    Json& kind = kinds[name.substr(name.find_last_of('.') + 1)];
    if (kind.is_null()) kind = {{"on", 0}, {"off", 0}, {"formats", Json::object()}};
    Json& count = kind[quantizer.enabled ? "on" : "off"];
    count = count.get<int64_t>() + 1;
    if (!quantizer.enabled) continue;
    Json& format = kind["formats"][format_of(quantizer)];
    format = format.is_null() ? 1 : format.get<int64_t>() + 1;
  }
  return {{"modelopt_version", state.modelopt_version}, {"quantizers", kinds}};
}

}  // namespace

Json inspect_checkpoint(const std::filesystem::path& dir) {
  const Checkpoint checkpoint = load_checkpoint(dir);
  StorageCount storage;
  int64_t amax = 0, bytes = 0;
  for (const std::string& name : checkpoint.tensors.names()) {
    const HostTensor& tensor = checkpoint.tensor(name);
    bytes += static_cast<int64_t>(tensor.bytes().size());
    name.ends_with("._amax") ? static_cast<void>(++amax) : storage.add(tensor.dtype(), tensor.count());
  }
  Json out{{"schema", "octet.inspect/1"}, {"kind", "checkpoint"}, {"file", dir.string()}, {"bytes", bytes}};
  const auto& config = checkpoint.config;
  for (const auto& [key, name] : {std::pair("model_type", "model_type"), std::pair("architectures", "architectures"),
                                  std::pair("dtype", config.contains("dtype") ? "dtype" : "torch_dtype")})
    out[key] = config.contains(name) ? Json(config[name]) : Json(nullptr);
  out["clip"] = clip_of(config);
  out["tensors"] = storage.to_json();
  out["amax_tensors"] = amax;
  out["quantization"] = quantization_of(checkpoint.quant);
  return out;
}

}  // namespace octet
