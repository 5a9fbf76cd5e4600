// The unified export: the shipped checkpoint turned into that form gives the same linears; contradictions are named.
#include "frontends/unified_export.h"

#include <gmock/gmock.h>

#include "formats/hostile_testing.h"
#include "frontends/clip.h"
#include "frontends/weights.h"
#include "numeric/convert.h"
#include "ops/quantize.h"

namespace octet {
namespace {

using ::testing::AllOf;
using testing::code_of;
using ::testing::Contains;
using testing::error_of;
using ::testing::HasSubstr;
using Json = nlohmann::json;
using Tensors = std::map<std::string, HostTensor>;

const Checkpoint& original() {
  static const Checkpoint loaded = load_checkpoint(testing::model_dir());
  return loaded;
}

HostTensor one(float value) { return from_f32(DType::f32, {}, std::vector<float>{value}); }

// As export_hf_checkpoint rounds: the quotient to f16 first, then to e4m3.
HostTensor exported_weight(const HostTensor& weight, float scale) {
  std::vector<float> values = to_f32(weight);
  for (float& value : values) value = static_cast<float>(decode_f16(encode_f16(value / scale)));
  return from_f32(DType::e4m3, weight.dims(), values);
}

// The tensors of the shipped checkpoint as export_hf_checkpoint would write them.
Tensors exported_tensors() {
  Tensors out;
  for (const auto& name : original().tensors.names())
    if (!name.ends_with("._amax")) out.emplace(name, original().tensor(name));
  for (const auto& [name, quantizer] : original().quant.by_name) {
    if (!quantizer.enabled || !quantizer.amax) continue;
    const float scale = static_cast<float>(quantizer.amax->at(0)) / 448;
    const std::string module = name.substr(0, name.rfind('.')), kind = name.substr(name.rfind('.') + 1);
    if (kind == "input_quantizer") out.emplace(module + ".input_scale", one(scale));
    if (kind == "k_bmm_quantizer") out.emplace(module + ".k_proj.k_scale", one(scale));
    if (kind == "v_bmm_quantizer") out.emplace(module + ".v_proj.v_scale", one(scale));
    if (kind != "weight_quantizer") continue;
    out.emplace(module + ".weight_scale", one(scale));
    out.at(module + ".weight") = exported_weight(original().tensor(module + ".weight"), scale);
  }
  return out;
}

// A checkpoint of that form, every part of which a test can bend.
struct Parts {
  Tensors tensors = exported_tensors();
  Json config = original().config;
  Json quantization = {
      {"quant_algo", "FP8"}, {"kv_cache_quant_algo", "FP8"}, {"exclude_modules", {"text_model.embeddings*", "*patch_embedding"}}};

  Checkpoint load() const {
    directory = std::make_unique<testing::TemporaryDirectory>();
    const std::vector<std::pair<std::string, HostTensor>> list(tensors.begin(), tensors.end());
    write_safetensors(directory->path() / "model.safetensors", list);
    write_text(directory->path() / "config.json", config.dump());
    if (!quantization.is_null())
      write_text(directory->path() / "hf_quant_config.json",
                 Json{{"producer", {{"name", "modelopt"}, {"version", "0.47.0"}}}, {"quantization", quantization}}.dump());
    return load_checkpoint(directory->path());
  }
  mutable std::unique_ptr<testing::TemporaryDirectory> directory;  // outlives the views of what was loaded
};

std::string error_in(const Parts& parts) {
  return error_of([&] { parts.load(); });
}

const std::string kLinear = "vision_model.encoder.layers.3.mlp.fc1";

struct Compared {
  int weights = 0, scales = 0;
  int64_t codes = 0, equal = 0;
};

// Every FP8 weight and every scale of the linears in `graph` against the file's bytes and the original checkpoint's graph.
Compared compare(const Graph& graph, const Graph& expected, const Tensors& file) {
  Compared out;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    const HostTensor* tensor = graph.constant_of(id);
    const std::string& name = graph.value(id).name;
    if (tensor == nullptr || expected.find(name) == kNone) continue;
    const HostTensor& before = *expected.constant_of(expected.find(name));
    if (name.ends_with(".scale")) {
      ++out.scales;
      EXPECT_TRUE(std::ranges::equal(tensor->bytes(), before.bytes())) << name;
    }
    if (tensor->dtype() != DType::e4m3 || tensor->rank() != 2) continue;
    EXPECT_TRUE(std::ranges::equal(transpose(file.at(name)).bytes(), tensor->bytes())) << name << ": not the file's codes";
    for (size_t i = 0; i < tensor->bytes().size(); ++i) out.equal += tensor->bytes()[i] == before.bytes()[i];
    out.codes += tensor->count(), ++out.weights;
  }
  return out;
}

// As transformers 5 has it written: tensors and patterns of excluded modules alike.
TEST(UnifiedExport, a_tower_named_twice_is_the_same_tower) {
  Parts doubled;
  doubled.tensors.clear();
  for (const auto& [name, tensor] : exported_tensors()) {
    const std::string tower = name.substr(0, name.find('.') + 1);
    doubled.tensors.emplace(tower == "text_model." || tower == "vision_model." ? tower + name : name, tensor);
  }
  doubled.quantization["exclude_modules"] = {"text_model.text_model.embeddings*", "*patch_embedding"};
  const Checkpoint checkpoint = doubled.load(), once = Parts().load();
  EXPECT_THAT(checkpoint.tensors.names(), ::testing::UnorderedElementsAreArray(once.tensors.names()));
  EXPECT_EQ(checkpoint.quant.by_name.size(), once.quant.by_name.size());
  EXPECT_THAT(checkpoint.notes, ::testing::ElementsAreArray(once.notes));

  doubled.tensors.emplace("text_model.embeddings.token_embedding.weight", one(1));
  EXPECT_THAT(error_in(doubled), HasSubstr("text_model.embeddings.token_embedding.weight"));
}

TEST(UnifiedExport, linears_have_the_codes_of_the_file_and_the_scales_of_the_original) {
  const Parts parts;
  const Checkpoint checkpoint = parts.load();
  ClipExportOptions options;
  options.fp8_attention = false;  // what the form cannot hold
  for (const auto& [build, layers] : {std::pair{&build_clip_text, 4}, {&build_clip_image, 8}}) {
    const Compared seen = compare(build(checkpoint, {}).graph, build(original(), options).graph, parts.tensors);
    EXPECT_EQ(seen.weights, layers * 6 + 1);
    EXPECT_EQ(seen.scales, layers * (6 + 4) + 2) << "of six weights and four inputs: q, k and v share one";
    // The export rounds twice, octet once: ModelOpt's own ONNX differs from its export in 0.4 % of the codes.
    EXPECT_GT(static_cast<double>(seen.equal), 0.99 * static_cast<double>(seen.codes));
    EXPECT_LT(seen.equal, seen.codes) << "the comparison saw no double rounding";
  }
}

TEST(UnifiedExport, says_what_it_lost) {
  Parts parts;
  EXPECT_EQ(parts.load().quant.modelopt_version, "0.47.0");
  const ClipGraph image = build_clip_image(parts.load(), {});
  EXPECT_THAT(image.notes, Contains(AllOf(HasSubstr("74 FP8 linears"), HasSubstr("lost those of q, the softmax and the output"))));
  EXPECT_THAT(image.notes, Contains(HasSubstr("vision_model.encoder.layers.0.self_attn: attention in f16")));
  EXPECT_NEAR(parts.load().quantizer("vision_model.encoder.layers.0.self_attn.k_bmm_quantizer")->amax->at(0),
              original().quantizer("vision_model.encoder.layers.0.self_attn.k_bmm_quantizer")->amax->at(0), 1e-6);
  std::erase_if(parts.tensors, [](const auto& one) { return one.first.ends_with("k_scale") || one.first.ends_with("v_scale"); });
  EXPECT_THAT(build_clip_text(parts.load(), {}).notes, Contains(HasSubstr("holds no scales of attention")));
}

TEST(UnifiedExport, dequantizes_for_other_precisions) {
  const Parts parts;
  ClipExportOptions options;
  options.precision = Precision::kFp32;
  const Graph graph = build_clip_image(parts.load(), options).graph;
  const HostTensor weight = transpose(*graph.constant_of(graph.find(kLinear + ".weight")));
  const HostTensor &codes = parts.tensors.at(kLinear + ".weight"), &scale = parts.tensors.at(kLinear + ".weight_scale");
  ASSERT_EQ(weight.dtype(), DType::f32);
  for (const int64_t i : {0, 1, 777}) EXPECT_EQ(weight.at(i), static_cast<float>(codes.at(i)) * static_cast<float>(scale.at(0)));
}

TEST(UnifiedExport, reads_either_configuration) {
  Parts parts;
  parts.quantization = nullptr;
  parts.config["quantization_config"] = {{"quant_algo", "FP8"}, {"quant_method", "modelopt"}, {"ignore", {"text_model.embeddings*"}}};
  EXPECT_TRUE(parts.load().quantizer(kLinear + ".input_quantizer")->is_e4m3());
  parts.config["quantization_config"]["ignore"] = {"vision*.layers.3.mlp*"};
  EXPECT_THAT(error_in(parts), AllOf(HasSubstr(kLinear), HasSubstr("vision*.layers.3.mlp*"), HasSubstr("quantization_config")));
}

TEST(UnifiedExport, names_contradictions) {
  const auto bent = [](const std::function<void(Parts&)>& bend) {
    Parts parts;
    bend(parts);
    EXPECT_EQ(code_of([&] { parts.load(); }), Code::kInvalid);
    return error_in(parts);
  };
  EXPECT_THAT(bent([](Parts& p) { p.tensors.erase(kLinear + ".weight_scale"); }), HasSubstr(kLinear + ".weight_scale"));
  EXPECT_THAT(bent([](Parts& p) { p.tensors.erase(kLinear + ".input_scale"); }), HasSubstr(kLinear + ".input_scale"));
  EXPECT_THAT(bent([](Parts& p) { p.tensors.at(kLinear + ".weight") = original().tensor(kLinear + ".weight"); }),
              HasSubstr("no FP8 weight"));
  for (const float value : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    EXPECT_THAT(bent([&](Parts& p) { p.tensors.at(kLinear + ".input_scale") = one(value); }), HasSubstr(kLinear + ".input_scale"));
  EXPECT_THAT(bent([](Parts& p) { p.tensors.at(kLinear + ".weight_scale") = HostTensor(DType::f32, {2}); }), HasSubstr("f32[2]"));
  EXPECT_THAT(bent([](Parts& p) { p.quantization["exclude_modules"] = {"vision_model*"}; }), HasSubstr("vision_model*"));
  EXPECT_THAT(bent([](Parts& p) { p.quantization["exclude_modules"] = 3; }), HasSubstr("exclude_modules"));
  EXPECT_THAT(bent([](Parts& p) { p.config["quantization_config"] = {{"quant_algo", "NVFP4"}}; }), HasSubstr("NVFP4"));
  EXPECT_THAT(bent([](Parts& p) {
                std::erase_if(p.tensors, [](const auto& t) { return t.second.dtype() == DType::e4m3 || t.first.ends_with("_scale"); });
              }),
              HasSubstr("no weight in FP8"));
}

TEST(UnifiedExport, refuses_other_algorithms) {
  Parts parts;
  parts.quantization["quant_algo"] = "W4A8_AWQ";
  EXPECT_EQ(code_of([&] { parts.load(); }), Code::kUnsupported);
  EXPECT_THAT(error_in(parts), HasSubstr("W4A8_AWQ"));
}

}  // namespace
}  // namespace octet
