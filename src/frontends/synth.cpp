#include "frontends/synth.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "formats/torch_zip/torch_zip.h"
#include "numeric/convert.h"
#include "quant/state.h"

namespace octet {
namespace {

struct TowerShape {
  int64_t hidden, intermediate, layers, heads;
};
struct Model {
  const char* name;
  const char* activation;
  TowerShape text, vision;
  int64_t projection, image, patch;
};
// Sources: the config.json of openai/clip-vit-* and laion/CLIP-ViT-H-14.
constexpr Model kModels[] = {
    {"clip-vit-b-32", "quick_gelu", {512, 2048, 12, 8}, {768, 3072, 12, 12}, 512, 224, 32},
    {"clip-vit-l-14", "quick_gelu", {768, 3072, 12, 12}, {1024, 4096, 24, 16}, 768, 224, 14},
    {"clip-vit-l-14-336", "quick_gelu", {768, 3072, 12, 12}, {1024, 4096, 24, 16}, 768, 336, 14},
    {"clip-vit-h-14", "gelu", {1024, 4096, 24, 16}, {1280, 5120, 32, 16}, 1024, 224, 14},
};
constexpr int64_t kVocabulary = 49408, kPositions = 77;

// Bell-shaped noise: the sum of four uniform 16-bit numbers (standard deviation 1, at most 3.46). One draw an element.
class Noise {
 public:
  explicit Noise(uint64_t seed) : state_(seed) {}
  float next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);  // splitmix64 (Steele, Lea, Flood 2014)
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    const auto sum = static_cast<int32_t>((z & 0xffff) + ((z >> 16) & 0xffff) + ((z >> 32) & 0xffff) + (z >> 48));
    return static_cast<float>(sum - 131070) * (1.0f / 37837.2f);
  }

 private:
  uint64_t state_;
};

// What a tensor's values look like: mean + deviation * noise, rows scaled by exp(spread * noise) as trained rows are.
struct Recipe {
  TensorSpec spec;
  float deviation = 0, mean = 0, spread = 0;
};

uint64_t seed_of(const std::string& name, uint64_t seed) {
  uint64_t h = 1469598103934665603u ^ seed;  // FNV-1a
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return h;
}

HostTensor draw(const Recipe& r, uint64_t seed) {
  Noise noise(seed_of(r.spec.name, seed));
  HostTensor tensor(DType::f16, r.spec.dims);
  const auto values = tensor.mut<uint16_t>();
  const int64_t rows = r.spec.dims.size() > 1 ? r.spec.dims[0] : 1;
  const int64_t cols = tensor.count() / rows;
  for (int64_t i = 0, at = 0; i < rows; ++i) {
    const float deviation = r.deviation * std::exp(r.spread * noise.next());
    for (int64_t j = 0; j < cols; ++j, ++at) values[static_cast<size_t>(at)] = encode_f16(r.mean + deviation * noise.next());
  }
  return tensor;
}

class Synthesizer {
 public:
  Synthesizer(const Model& model, uint64_t seed) : m_(model), seed_(seed) {
    tensor("logit_scale", {}, 0, 4.6052f);
    tensor("text_model.embeddings.token_embedding.weight", {kVocabulary, m_.text.hidden}, 0.5f);
    tensor("text_model.embeddings.position_embedding.weight", {kPositions, m_.text.hidden}, 0.1f);
    norm("text_model.final_layer_norm", m_.text.hidden);
    tower("text_model", m_.text);
    linear("text_projection", m_.text.hidden, m_.projection, false, 5);
    const int64_t patches = (m_.image / m_.patch) * (m_.image / m_.patch), inputs = 3 * m_.patch * m_.patch;
    tensor("vision_model.embeddings.class_embedding", {m_.vision.hidden}, 0.5f);
    tensor("vision_model.embeddings.patch_embedding.weight", {m_.vision.hidden, 3, m_.patch, m_.patch},
           1 / std::sqrt(static_cast<float>(inputs)));
    tensor("vision_model.embeddings.position_embedding.weight", {patches + 1, m_.vision.hidden}, 0.1f);
    norm("vision_model.pre_layrnorm", m_.vision.hidden);
    norm("vision_model.post_layernorm", m_.vision.hidden);
    tower("vision_model", m_.vision);
    linear("visual_projection", m_.vision.hidden, m_.projection, false, 5);
  }

  void write(const std::filesystem::path& directory) {
    std::vector<TensorSpec> specs;
    for (const Recipe& r : recipes_) specs.push_back(r.spec);
    int64_t done = 0;
    write_safetensors(directory / "model.safetensors", specs, {{"format", "pt"}}, [&](size_t i) {
      progress("writing weights", ++done, static_cast<int64_t>(specs.size()));
      return draw(recipes_[i], seed_);
    });
    write_torch_zip(directory / "modelopt_state.pth", make_modelopt_state(quant_));
  }

 private:
  void tensor(const std::string& name, std::vector<int64_t> dims, float deviation, float mean = 0, float spread = 0) {
    recipes_.push_back({{name, DType::f16, std::move(dims)}, deviation, mean, spread});
  }
  void norm(const std::string& module, int64_t width) {
    tensor(module + ".weight", {width}, 0.1f, 1);
    tensor(module + ".bias", {width}, 0.1f);
  }
  void quantizer(const std::string& name, float amax) {
    tensor(name + "._amax", {}, 0, amax);
    QuantizerState q;
    q.name = name;
    q.enabled = true;
    q.exponent_bits = 4;
    q.mantissa_bits = 3;
    q.trt_high_precision_dtype = "Half";
    q.amax = HostTensor(DType::f16, {});
    quant_.by_name[name] = std::move(q);
  }
  // `input_amax`: the range of a normalised input of unit deviation, in deviations. `gain`: output deviation over the input's.
  void linear(const std::string& module, int64_t in, int64_t out, bool bias, float input_amax, float gain = 1) {
    tensor(module + ".weight", {out, in}, gain / std::sqrt(static_cast<float>(in)), 0, 0.25f);
    float amax = 0;
    const HostTensor weight = draw(recipes_.back(), seed_);
    for (const uint16_t bits : weight.as<uint16_t>()) amax = std::max(amax, std::abs(decode_f16(bits)));
    if (bias) tensor(module + ".bias", {out}, 0.2f);
    quantizer(module + ".input_quantizer", input_amax);
    quantizer(module + ".weight_quantizer", amax);
    progress("drawing ranges", static_cast<int64_t>(++linears_), 6 * (m_.text.layers + m_.vision.layers) + 2);
  }
  void tower(const std::string& name, const TowerShape& t) {
    // Layers add to the residual stream rather than replace it, as in trained models: FP8 then costs an embedding about the
    // same cosine (0.999) as it costs a trained CLIP, where plain random weights would amplify every rounding.
    const float residual_gain = 1 / std::sqrt(2 * static_cast<float>(t.layers));
    for (int64_t i = 0; i < t.layers; ++i) {
      const std::string layer = fmt::format("{}.encoder.layers.{}", name, i), attention = layer + ".self_attn";
      norm(layer + ".layer_norm1", t.hidden);
      norm(layer + ".layer_norm2", t.hidden);
      for (const char* which : {"q", "k", "v"}) {
        linear(attention + "." + which + "_proj", t.hidden, t.hidden, true, 5);
        quantizer(attention + "." + which + "_bmm_quantizer", 9);
      }
      linear(attention + ".out_proj", t.hidden, t.hidden, true, 4, residual_gain);
      quantizer(attention + ".bmm2_output_quantizer", 4);
      linear(layer + ".mlp.fc1", t.hidden, t.intermediate, true, 5);
      linear(layer + ".mlp.fc2", t.intermediate, t.hidden, true, 9, residual_gain);
    }
  }

  const Model& m_;
  uint64_t seed_;
  std::vector<Recipe> recipes_;
  QuantState quant_;
  int linears_ = 0;
};

nlohmann::json tower_config(const Model& m, const TowerShape& t, const char* type) {
  return {{"model_type", type},
          {"hidden_act", m.activation},
          {"hidden_size", t.hidden},
          {"intermediate_size", t.intermediate},
          {"num_hidden_layers", t.layers},
          {"num_attention_heads", t.heads},
          {"projection_dim", m.projection},
          {"layer_norm_eps", 1e-5}};
}

void write_configs(const Model& m, const std::filesystem::path& directory) {
  nlohmann::json config{{"architectures", {"CLIPModel"}}, {"model_type", "clip"}, {"projection_dim", m.projection}, {"dtype", "float16"}};
  config["text_config"] = tower_config(m, m.text, "clip_text_model");
  config["text_config"].update({{"vocab_size", kVocabulary},
                                {"max_position_embeddings", kPositions},
                                {"eos_token_id", 49407},
                                {"bos_token_id", 49406},
                                {"pad_token_id", 49407}});
  config["vision_config"] = tower_config(m, m.vision, "clip_vision_model");
  config["vision_config"].update({{"image_size", m.image}, {"patch_size", m.patch}, {"num_channels", 3}});
  write_text(directory / "config.json", config.dump(2) + "\n");
  const nlohmann::json preprocessor{{"image_processor_type", "CLIPImageProcessor"},
                                    {"do_resize", true},
                                    {"do_center_crop", true},
                                    {"do_rescale", true},
                                    {"do_normalize", true},
                                    {"do_convert_rgb", true},
                                    {"resample", 3},
                                    {"rescale_factor", 1.0 / 255},
                                    {"size", {{"shortest_edge", m.image}}},
                                    {"crop_size", {{"height", m.image}, {"width", m.image}}},
                                    {"image_mean", {0.48145466, 0.4578275, 0.40821073}},
                                    {"image_std", {0.26862954, 0.26130258, 0.27577711}}};
  write_text(directory / "preprocessor_config.json", preprocessor.dump(2) + "\n");
}

}  // namespace

std::vector<std::string> synth_models() {
  std::vector<std::string> names;
  for (const Model& m : kModels) names.emplace_back(m.name);
  return names;
}

void write_synth_checkpoint(const std::string& model, uint64_t seed, const std::filesystem::path& directory) {
  const auto* found = std::find_if(std::begin(kModels), std::end(kModels), [&](const Model& m) { return model == m.name; });
  if (found == std::end(kModels))
    throw Error(Code::kUsage, fmt::format("there is no model `{}` to synthesise", printable(model)),
                "models: " + join(synth_models(), " "));
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail(Code::kIo, "cannot create {}: {}", directory.string(), error.message());
  Synthesizer(*found, seed).write(directory);
  write_configs(*found, directory);
}

}  // namespace octet
