#include "frontends/unified_export.h"

#include <cmath>

#include "base/text.h"
#include "formats/json.h"

namespace octet {
namespace {

using Json = nlohmann::json;

constexpr const char* kQuantFile = "hf_quant_config.json";
constexpr JsonLimits kQuantFileLimits{.bytes = 4'000'000, .depth = 32, .values = 100'000, .string_bytes = 1'000'000};
constexpr std::string_view kWeight = ".weight", kWeightScale = ".weight_scale", kInputScale = ".input_scale";

// What either configuration says: the algorithm, and patterns of modules that are not quantized.
struct Declared {
  std::string source, algorithm, version;  // the version of ModelOpt, if it says
  std::vector<std::string> excluded;
};

Declared declared_by(std::string source, const Json& section, const Json& writer, const char* excluded) {
  Declared out{std::move(source), "", "", {}};
  if (!section.is_object()) fail(Code::kInvalid, "{}: no object describes the quantization", out.source);
  const auto algorithm = section.find("quant_algo");
  if (algorithm == section.end() || !algorithm->is_string())
    fail(Code::kUnsupported, "{}: no `quant_algo`: not ModelOpt's export", out.source);
  out.algorithm = algorithm->get<std::string>();
  if (const auto producer = writer.find("producer"); producer != writer.end() && producer->is_object())
    if (const auto version = producer->find("version"); version != producer->end() && version->is_string())
      out.version = version->get<std::string>();
  if (const auto modules = section.find(excluded); modules != section.end() && !modules->is_null()) {
    const bool names =
        modules->is_array() && std::all_of(modules->begin(), modules->end(), [](const Json& one) { return one.is_string(); });
    if (!names) fail(Code::kInvalid, "{}: `{}` is not a list of names", out.source, excluded);
    for (const auto& pattern : modules->get<std::vector<std::string>>()) out.excluded.push_back(without_doubled_tower(pattern));
  }
  return out;
}

Declared read_declared(const Checkpoint& checkpoint) {
  std::vector<Declared> found;
  if (const auto file = checkpoint.dir / kQuantFile; std::filesystem::exists(file)) {
    const Json json = read_json(file, kQuantFileLimits);
    found.push_back(declared_by(file.string(), json.is_object() ? json.value("quantization", Json()) : Json(), json, "exclude_modules"));
  }
  if (const auto section = checkpoint.config.find("quantization_config"); section != checkpoint.config.end())
    found.push_back(declared_by((checkpoint.dir / "config.json").string() + " (quantization_config)", *section, *section, "ignore"));
  if (found.size() == 2 && found[0].algorithm != found[1].algorithm)
    fail(Code::kInvalid, "{} says {}, {} says {}", found[0].source, printable(found[0].algorithm), found[1].source,
         printable(found[1].algorithm));
  if (found[0].algorithm != "FP8")
    throw Error(Code::kUnsupported, fmt::format("{}: the algorithm is {}; octet reads FP8", found[0].source, printable(found[0].algorithm)),
                "export the model with FP8_DEFAULT_CFG, or give the checkpoint that save_pretrained wrote");
  return found[0];
}

// Whether `name` fits a pattern in which each * stands for any text.
bool fits(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') star = p++, resume = n;
    else if (p < pattern.size() && pattern[p] == name[n]) ++p, ++n;
    else if (star != std::string_view::npos) p = star + 1, n = ++resume;
    else return false;
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

// The quantizer that a scale stands for.
void add_quantizer(Checkpoint& checkpoint, const std::string& name, const std::string& scale_name) {
  const HostTensor& scale = checkpoint.tensors.at(scale_name);
  const bool one = is_float(scale.dtype()) && scale.count() == 1;
  if (!one || !std::isfinite(scale.at(0)) || scale.at(0) <= 0)
    fail(Code::kInvalid, "{}: `{}` is {}{}; a scale is one finite number > 0", checkpoint.tensors.where(), printable(scale_name),
         describe(scale), one ? fmt::format(" {}", scale.at(0)) : "");
  QuantizerState quantizer;
  quantizer.name = name, quantizer.enabled = true, quantizer.exponent_bits = 4, quantizer.mantissa_bits = 3;
  const float amax[] = {static_cast<float>(scale.at(0) * 448)};
  quantizer.amax = from_f32(DType::f32, {}, amax);
  checkpoint.quant.by_name.insert_or_assign(name, std::move(quantizer));
}

void add_linear(Checkpoint& checkpoint, const Declared& declared, const std::string& module) {
  for (const auto& pattern : declared.excluded)
    if (fits(pattern, module))
      fail(Code::kInvalid, "{} excludes `{}` (by `{}`), but {} holds its weight in FP8", declared.source, printable(module),
           printable(pattern), checkpoint.tensors.where());
  for (const auto& [suffix, quantizer] : {std::pair{kWeightScale, ".weight_quantizer"}, {kInputScale, ".input_quantizer"}}) {
    const std::string scale = module + std::string(suffix);
    if (!checkpoint.tensors.has(scale))
      throw Error(
          Code::kInvalid,
          fmt::format("{}: `{}.weight` is FP8, but there is no `{}`", checkpoint.tensors.where(), printable(module), printable(scale)),
          "the export is incomplete: export the calibrated model again");
    add_quantizer(checkpoint, module + quantizer, scale);
  }
}

// ATTENTION.k_proj.k_scale stands for ATTENTION.k_bmm_quantizer, v alike. Whether `name` is such a scale.
bool add_attention_scale(Checkpoint& checkpoint, const std::string& name) {
  for (const char* which : {"k", "v"})
    if (const std::string suffix = fmt::format(".{0}_proj.{0}_scale", which); name.ends_with(suffix)) {
      add_quantizer(checkpoint, name.substr(0, name.size() - suffix.size()) + fmt::format(".{}_bmm_quantizer", which), name);
      return true;
    }
  return false;
}

}  // namespace

bool is_unified_export(const Checkpoint& checkpoint) {
  std::error_code ignored;
  return std::filesystem::exists(checkpoint.dir / kQuantFile, ignored) || checkpoint.config.contains("quantization_config");
}

void read_unified_export(Checkpoint& checkpoint) {
  const Declared declared = read_declared(checkpoint);
  checkpoint.quant.modelopt_version = declared.version;
  int linears = 0, attention_scales = 0;
  for (const auto& name : checkpoint.tensors.names()) {
    attention_scales += add_attention_scale(checkpoint, name);
    if (name.ends_with(kWeightScale)) {
      const std::string weight = name.substr(0, name.size() - std::string_view("_scale").size());
      if (!checkpoint.tensors.has(weight) || checkpoint.tensors.at(weight).dtype() != DType::e4m3)
        fail(Code::kInvalid, "{}: `{}` scales no FP8 weight `{}`", checkpoint.tensors.where(), printable(name), printable(weight));
    }
    if (!name.ends_with(kWeight) || checkpoint.tensors.at(name).dtype() != DType::e4m3) continue;
    add_linear(checkpoint, declared, name.substr(0, name.size() - kWeight.size()));
    ++linears;
  }
  if (linears == 0) fail(Code::kInvalid, "{} says FP8, but {} holds no weight in FP8", declared.source, checkpoint.tensors.where());
  const char* lost = attention_scales > 0
                         ? "of attention's scales it keeps those of k and v, and has lost those of q, the softmax and the output"
                         : "it holds no scales of attention";
  checkpoint.notes.push_back(
      fmt::format("unified export: {} FP8 linears; {}: attention stays in the float type. For FP8 attention give the "
                  "checkpoint that save_pretrained wrote",
                  linears, lost));
}

}  // namespace octet
