// Calibration on the engine against the interpreter, and what is written against what is read back. The shipped model throughout.
#include "quantize.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include "compile.h"
#include "cpu/backend.h"
#include "formats/hostile_testing.h"
#include "frontends/clip.h"
#include "interp/interp.h"
#include "quant/scale.h"

namespace octet {
namespace {

using testing::code_of;

constexpr int64_t kTokens = 77;
constexpr int64_t kEos = 49407;

const Checkpoint& shipped() {
  static const Checkpoint checkpoint = load_checkpoint(testing::model_dir());
  return checkpoint;
}
ClipGraph tower(bool text) {
  ClipExportOptions options;
  options.precision = Precision::kFp32;
  return text ? build_clip_text(shipped(), options) : build_clip_image(shipped(), options);
}
std::shared_ptr<const plan::Plan> plan_of(bool text) {
  CompileOptions options;
  options.self_check = false;
  return compile(tower(text).graph, options);
}
std::vector<CalibrationSite> observe(bool text, const HostTensor& input) {
  const auto plan = plan_of(text);
  const auto executable = cpu::make_backend()->prepare(plan, {.threads = 2, .chunk = -1});
  const auto context = executable->new_context();
  Calibration calibration(*plan);
  const void* pointer = input.bytes().data();
  calibration.run(*context, {&pointer, 1}, input.dims()[0]);
  return calibration.sites();
}
// Two texts of `lengths` tokens, end of text included; what follows is another token, as no tokenizer pads.
HostTensor texts(std::vector<int64_t> lengths) {
  HostTensor ids(DType::i64, {static_cast<int64_t>(lengths.size()), kTokens});
  for (size_t i = 0; i < lengths.size(); ++i)
    for (int64_t t = 0; t < kTokens; ++t)
      ids.set_int(static_cast<int64_t>(i) * kTokens + t, t + 1 == lengths[i] ? kEos : 600 * (t + 1) + static_cast<int64_t>(i));
  return ids;
}
HostTensor picture() {
  HostTensor pixels(DType::f32, {1, 3, 32, 32});
  for (int64_t i = 0; i < pixels.count(); ++i) pixels.set(i, std::sin(0.37 * static_cast<double>(i)));
  return pixels;
}
const Observer& observer_of(const std::vector<CalibrationSite>& sites, const std::string& quantizer) {
  for (const auto& site : sites)
    for (const auto& name : site.quantizers)
      if (name == quantizer) return site.observer;
  throw std::runtime_error("no site for " + quantizer);
}

TEST(Calibration, EveryActivationQuantizerHasOneSite) {
  std::set<std::string> expected, found;
  for (const auto& [name, q] : clip_quantizers(read_clip_config(shipped().config), QuantRecipe::kFp8, false).by_name)
    if (q.enabled && !name.ends_with(".weight_quantizer")) expected.insert(name);
  for (const bool text : {true, false}) {
    const auto plan = plan_of(text);
    const Calibration calibration(*plan);
    for (const auto& site : calibration.sites())
      for (const auto& name : site.quantizers) EXPECT_TRUE(found.insert(name).second) << name;
  }
  EXPECT_EQ(found, expected);
}

// The interpreter computes the graph before any pass, node by node; rows behind the end of text are left out by hand.
TEST(Calibration, SeesWhatTheInterpreterComputes) {
  const HostTensor ids = texts({5, 12});
  const auto sites = observe(true, ids);
  const ClipGraph reference = tower(true);
  std::map<std::string, float> amax;
  interpret(reference.graph, std::vector<HostTensor>{ids}, {.on_value = [&](ValueId id, const HostTensor& value) {
              if (!is_float(value.dtype()) || value.rank() != 3) return;
              const int64_t cols = value.dims()[2];
              for (const auto& [item, used] : {std::pair<int64_t, int64_t>{0, 5}, {1, 12}})
                for (int64_t i = 0; i < used * cols; ++i) {
                  float& greatest = amax[reference.graph.value(id).name];
                  greatest = std::max(greatest, std::abs(static_cast<float>(value.at(item * kTokens * cols + i))));
                }
            }});
  const std::string layer = "text_model.encoder.layers.2";
  const std::pair<std::string, std::string> pairs[] = {{layer + ".self_attn.k_proj.input_quantizer", layer + ".layer_norm1.out"},
                                                       {layer + ".self_attn.q_bmm_quantizer", layer + ".self_attn.q_proj.out"},
                                                       {layer + ".self_attn.k_bmm_quantizer", layer + ".self_attn.k_proj.out"},
                                                       {layer + ".self_attn.v_bmm_quantizer", layer + ".self_attn.v_proj.out"},
                                                       {layer + ".self_attn.bmm2_output_quantizer", layer + ".self_attn.merged"},
                                                       {layer + ".self_attn.out_proj.input_quantizer", layer + ".self_attn.merged"},
                                                       {layer + ".mlp.fc1.input_quantizer", layer + ".layer_norm2.out"},
                                                       {layer + ".mlp.fc2.input_quantizer", layer + ".mlp.activation.out"}};
  for (const auto& [quantizer, tensor] : pairs)
    EXPECT_NEAR(observer_of(sites, quantizer).amax(), amax.at(tensor), 1e-4 * amax.at(tensor)) << quantizer;
  EXPECT_EQ(observer_of(sites, layer + ".mlp.fc1.input_quantizer").count(), (5 + 12) * 128);
  EXPECT_EQ(observer_of(sites, "text_projection.input_quantizer").count(), 2 * 128);
}

TEST(Calibration, WhatFollowsTheEndOfTextIsNotSeen) {
  const auto sites = observe(true, texts({9}));
  HostTensor other = texts({9});
  for (int64_t t = 9; t < kTokens; ++t) other.set_int(t, 7);
  for (const auto& site : observe(true, other))
    EXPECT_EQ(site.observer.amax(), observer_of(sites, site.quantizers[0]).amax()) << site.quantizers[0];
}

class Quantized : public ::testing::Test {
 protected:
  static std::vector<CalibrationSite> sites() {
    static const std::vector<CalibrationSite> all = [] {
      auto both = observe(true, texts({5, 12, 30}));
      for (auto& site : observe(false, picture())) both.push_back(std::move(site));
      return both;
    }();
    return all;
  }
};

TEST_F(Quantized, ReadsBackAsItWasChosen) {
  const testing::TemporaryDirectory directory;
  const QuantizedModel model = choose_ranges(shipped(), sites(), {.per_channel = true});
  write_quantized_checkpoint(shipped(), model.state, directory.path() / "out");
  const Checkpoint back = load_checkpoint(directory.path() / "out");
  EXPECT_EQ(back.config, shipped().config);
  EXPECT_EQ(back.tensors.names().size(), shipped().tensors.names().size());
  for (const auto& name : shipped().tensors.names()) {
    if (!name.ends_with("._amax")) {
      EXPECT_TRUE(back.tensor(name).same_bytes(shipped().tensor(name))) << name;
    }
  }
  EXPECT_EQ(model.tensors.size(), 196u);
  for (const QuantizedTensor& t : model.tensors) {
    const QuantizerState* q = back.quantizer(t.quantizer);
    ASSERT_NE(q, nullptr) << t.quantizer;
    EXPECT_TRUE(q->amax->same_bytes(*model.state.by_name.at(t.quantizer).amax)) << t.quantizer;
    EXPECT_EQ(q->amax->count(), t.ranges);
    EXPECT_EQ(t.error.clipped, 0) << t.quantizer;
    EXPECT_GT(t.error.sqnr_db(), 25) << t.quantizer;  // 3 mantissa bits: 31.9 dB for values spread evenly over the octaves
  }
  EXPECT_EQ(back.quantizer("visual_projection.weight_quantizer")->amax->dims(), (std::vector<int64_t>{256, 1}));
  for (const char* name : {"vocab.json", "merges.txt", "preprocessor_config.json"})
    EXPECT_EQ(read_text(directory.path() / "out" / name), read_text(testing::model_dir() / name));
}

TEST_F(Quantized, WeightRangesAreTheirGreatestValues) {
  const QuantizedModel model = choose_ranges(shipped(), sites(), {.method = RangeMethod::kPercentile});
  for (const auto& [name, q] : model.state.by_name) {
    if (q.enabled && name.ends_with(".weight_quantizer")) {
      EXPECT_TRUE(q.amax->same_bytes(*shipped().quantizer(name)->amax)) << name;
    }
  }
}

TEST_F(Quantized, LeastSquaresLosesNoMoreThanTheGreatest) {
  const QuantizedModel greatest = choose_ranges(shipped(), sites(), {}),
                       best = choose_ranges(shipped(), sites(), {.method = RangeMethod::kMse});
  for (size_t i = 0; i < best.tensors.size(); ++i)
    // The range is rounded to f16 after it was chosen: that may cost a little.
    EXPECT_LE(best.tensors[i].error.noise, 1.02 * greatest.tensors[i].error.noise) << best.tensors[i].quantizer;
}

TEST_F(Quantized, RefusesWhatWasNotCalibrated) {
  EXPECT_EQ(code_of([] { choose_ranges(shipped(), {}, {}); }), Code::kInvalid);
  auto broken = sites();
  const float huge = 1e30f;
  for (auto& site : broken) site.observer.add({&huge, 1});
  EXPECT_EQ(code_of([&] { choose_ranges(shipped(), broken, {}); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { write_quantized_checkpoint(shipped(), {}, testing::model_dir()); }), Code::kUsage);
}

}  // namespace
}  // namespace octet
