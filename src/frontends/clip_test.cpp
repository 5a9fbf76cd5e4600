// CLIP graphs from the shipped checkpoint: structure, FP8 sites, scales, and configs no CLIP can have.
#include "frontends/clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "frontends/picture_input.h"
#include "numeric/convert.h"
#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/quantize.h"

namespace octet {
namespace {

const Checkpoint& checkpoint() {
  static const Checkpoint loaded = load_checkpoint(OCTET_SOURCE_DIR "/models/clip-cifar10-fp8");
  return loaded;
}

template <class T>
int count(const Graph& graph) {
  int n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) n += graph.node(id).as<T>() != nullptr;
  return n;
}

TEST(Clip, ImageTowerHasElevenQuantizationsALayerAndOneSharedForQkv) {
  const Graph graph = build_clip_image(checkpoint(), {}).graph;
  // A layer: LN1, q, k, v, softmax, attention output, LN2, fc2 input = 8 activations; one more before the projection.
  EXPECT_EQ(count<QuantizeLinear>(graph), 8 * 8 + 1);
  // and 6 weights a layer, 1 projection, behind a DQ each.
  EXPECT_EQ(count<DequantizeLinear>(graph), 8 * 8 + 1 + 8 * 6 + 1);
  EXPECT_EQ(count<MatMul>(graph), 8 * 8 + 1);
}

TEST(Clip, InputsAndOutputsAreNamedTypedAndDynamic) {
  const Graph image = build_clip_image(checkpoint(), {}).graph;
  EXPECT_EQ(image.value(image.inputs.at(0)).name, "pixel_values");
  EXPECT_EQ(to_string(*image.value(image.inputs[0]).type), "f16[batch,3,32,32]");
  EXPECT_EQ(to_string(*image.value(image.outputs.at(0)).type), "f16[batch,256]");
  ClipExportOptions options;
  options.blog_names = true;
  options.ids = DType::i32;
  options.precision = Precision::kBf16;
  const Graph text = build_clip_text(checkpoint(), options).graph;
  EXPECT_EQ(text.value(text.inputs.at(0)).name, "text_input");
  EXPECT_EQ(to_string(*text.value(text.inputs[0]).type), "i32[batch,77]");
  EXPECT_EQ(to_string(*text.value(text.outputs.at(0)).type), "bf16[batch,256]");
  EXPECT_EQ(count<QuantizeLinear>(text), 0);
}

TEST(Clip, Uint8PicturesAreNormalisedInTheGraph) {
  ClipExportOptions options;
  options.uint8_input = true;
  for (const Precision precision : {Precision::kFp8, Precision::kBf16, Precision::kFp32}) {
    options.precision = precision;
    const Graph graph = build_clip_image(checkpoint(), options).graph;
    EXPECT_EQ(to_string(*graph.value(graph.inputs.at(0)).type), "u8[batch,32,32,3]");
    std::string ops;
    for (NodeId id = 0; !graph.node(id).as<Conv>(); ++id) ops += std::string(graph.node(id).op.name()) + " ";
    EXPECT_EQ(ops, precision == Precision::kFp32 ? "Cast Div Sub Div Transpose " : "Cast Div Sub Div Cast Transpose ");
  }
  EXPECT_EQ(to_string(*build_clip_text(checkpoint(), options).graph.value(0).type), "i64[batch,77]") << "texts stay ids";
}

TEST(Clip, Uint8PicturesOfAnotherSizeOrScaleAreRefused) {
  const auto refusal = [](auto&& change) {
    ClipPreprocess preprocess = ClipPreprocess::load(checkpoint().dir);
    change(preprocess);
    TowerBuilder b(checkpoint(), {}, "test");
    try {
      uint8_picture(b, preprocess, "pixel_values", read_clip_config(checkpoint().config));
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refusal([](auto&) {}), "accepted");
  EXPECT_EQ(refusal([](auto& p) { p.scale = 1; }), "accepted");
  EXPECT_EQ(refusal([](auto& p) { p.scale = 1.0 / 256; }), "accepted");
  EXPECT_THAT(refusal([](auto& p) { p.scale = 0.123456789; }), testing::HasSubstr("rescale_factor 0.123456789"));
  EXPECT_THAT(refusal([](auto& p) { p.height = 31; }), testing::HasSubstr("makes pictures of 3 x 31 x 32, the tower takes 3 x 32 x 32"));
}

TEST(Clip, ScalesMatchTheTensorThatIsQuantized) {
  const std::string site = "vision_model.encoder.layers.3.self_attn.q";
  const double amax = checkpoint().quantizer(site + "_bmm_quantizer")->amax->at(0);
  ClipExportOptions options;
  const auto scale = [&] {
    const Graph graph = build_clip_image(checkpoint(), options).graph;
    return graph.constant_of(graph.find(site + ".scale"))->at(0);
  };
  const double matched = scale();
  options.modelopt_scales = true;
  const double modelopt = scale();
  EXPECT_EQ(modelopt, decode_f16(encode_f16(amax / 448)));
  EXPECT_NEAR(matched / modelopt, std::pow(64.0, -0.25), 2e-3);  // two f16 roundings
}

TEST(Clip, WithoutFp8AttentionTheLinearsStayFp8AndItIsSaid) {
  ClipExportOptions options;
  options.fp8_attention = false;
  const ClipGraph built = build_clip_image(checkpoint(), options);
  EXPECT_EQ(count<QuantizeLinear>(built.graph), 8 * 4 + 1);  // LN1, out_proj input, LN2, fc2 input
  EXPECT_THAT(built.notes, testing::Contains(testing::HasSubstr("attention in f16")));
}

TEST(Clip, WeightCodesAreRoundedOnceFromTheCheckpoint) {
  const Graph graph = build_clip_image(checkpoint(), {}).graph;
  const std::string module = "vision_model.encoder.layers.0.mlp.fc1";
  const HostTensor& weight = checkpoint().tensor(module + ".weight");
  const HostTensor& codes = *graph.constant_of(graph.find(module + ".weight"));
  const auto scale = static_cast<float>(graph.constant_of(graph.find(module + ".weight.scale"))->at(0));
  ASSERT_EQ(codes.dims(), (std::vector<int64_t>{256, 1024}));
  for (int64_t out = 0; out < 1024; out += 37)
    for (int64_t in = 0; in < 256; in += 11)
      EXPECT_EQ(codes.as<uint8_t>()[static_cast<size_t>(in * 1024 + out)],
                encode_e4m3(static_cast<float>(weight.at(out * 256 + in)) / scale));
}

TEST(ClipConfig, RefusesWhatNoClipCanBe) {
  const nlohmann::json good = checkpoint().config;
  const auto code_of = [&](auto&& change) {
    nlohmann::json config = good;
    change(config);
    try {
      read_clip_config(config);
    } catch (const Error& error) {
      return static_cast<int>(error.code());
    }
    return 0;
  };
  EXPECT_EQ(code_of([](auto&) {}), 0);
  EXPECT_EQ(code_of([](auto& c) { c["model_type"] = "bert"; }), static_cast<int>(Code::kUnsupported));
  EXPECT_EQ(code_of([](auto& c) { c["vision_config"]["num_attention_heads"] = 3; }), static_cast<int>(Code::kInvalid));
  EXPECT_EQ(code_of([](auto& c) { c["vision_config"]["patch_size"] = 64; }), static_cast<int>(Code::kInvalid));
  EXPECT_EQ(code_of([](auto& c) { c["vision_config"]["hidden_size"] = -1; }), static_cast<int>(Code::kInvalid));
  EXPECT_EQ(code_of([](auto& c) { c["text_config"]["hidden_size"] = int64_t{1} << 60; }), static_cast<int>(Code::kInvalid));
  EXPECT_EQ(code_of([](auto& c) { c["text_config"]["hidden_size"] = "wide"; }), static_cast<int>(Code::kInvalid));
  EXPECT_EQ(code_of([](auto& c) { c["text_config"] = 7; }), static_cast<int>(Code::kInvalid));
}

}  // namespace
}  // namespace octet
