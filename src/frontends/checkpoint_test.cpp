#include "frontends/checkpoint.h"

#include <gmock/gmock.h>

#include <cmath>

#include "formats/hostile_testing.h"
#include "formats/torch_zip/torch_zip.h"

namespace octet {
namespace {

using ::testing::AllOf;
using testing::code_of;
using testing::error_of;
using ::testing::HasSubstr;

// Expected numbers: Python on the same files.
TEST(Checkpoint, LoadsTheRealOne) {
  const auto checkpoint = load_checkpoint(testing::model_dir());
  EXPECT_EQ(checkpoint.config["model_type"], "clip");
  EXPECT_EQ(checkpoint.config["vision_config"]["num_hidden_layers"], 8);
  EXPECT_EQ(describe(checkpoint.tensor("visual_projection.weight")), "f16[256,256]");
  int with_amax = 0;
  for (const auto& [name, quantizer] : checkpoint.quant.by_name) with_amax += quantizer.amax.has_value();
  EXPECT_EQ(with_amax, 196);
  const auto* fc1 = checkpoint.quantizer("text_model.encoder.layers.0.mlp.fc1.input_quantizer");
  ASSERT_NE(fc1, nullptr);
  EXPECT_TRUE(fc1->is_e4m3());
  EXPECT_EQ(fc1->amax->at(0), 3.875);
  EXPECT_EQ(checkpoint.quantizer("text_model.encoder.layers.0.mlp.fc1.output_quantizer"), nullptr) << "disabled";
  EXPECT_EQ(checkpoint.quantizer("no.such"), nullptr);
  EXPECT_THAT(error_of([&] { checkpoint.tensor("visual_projektion.weight"); }), HasSubstr("`visual_projection.weight`"));
}

HostTensor amax_of(std::vector<int64_t> dims, std::vector<float> values, DType dtype = DType::f16) {
  return from_f32(dtype, std::move(dims), values);
}

// A checkpoint of one linear with two quantizers, every part of which a test can bend.
struct Parts {
  std::string config = R"({"model_type": "clip"})";
  std::map<std::string, HostTensor> tensors = {{"m.weight", HostTensor(DType::f16, {3, 2})},
                                               {"m.weight_quantizer._amax", amax_of({}, {1})},
                                               {"m.input_quantizer._amax", amax_of({}, {2})}};
  std::optional<QuantState> state = QuantState{};
  Parts() {
    for (const char* name : {"m.weight_quantizer", "m.input_quantizer"}) {
      QuantizerState quantizer;
      quantizer.name = name, quantizer.enabled = true, quantizer.exponent_bits = 4, quantizer.mantissa_bits = 3;
      state->by_name.emplace(name, quantizer);
    }
  }
  QuantizerState& weight() { return state->by_name.at("m.weight_quantizer"); }
  HostTensor& weight_amax() { return tensors.at("m.weight_quantizer._amax"); }
};

Checkpoint load(const Parts& parts, std::string_view extra_file = {}) {
  const testing::TemporaryDirectory directory;
  write_text(directory.path() / "config.json", parts.config);
  const std::vector<std::pair<std::string, HostTensor>> tensors(parts.tensors.begin(), parts.tensors.end());
  write_safetensors(directory.path() / "model.safetensors", tensors);
  if (parts.state) write_torch_zip(directory.path() / "modelopt_state.pth", make_modelopt_state(*parts.state));
  if (!extra_file.empty()) write_text(directory.path() / extra_file, "{}");
  return load_checkpoint(directory.path());
}
std::string error_in(const Parts& parts) {
  return error_of([&] { load(parts); });
}

TEST(Checkpoint, JoinsRangesByName) {
  Parts parts;
  EXPECT_EQ(load(parts).quantizer("m.input_quantizer")->amax->at(0), 2);
  parts.weight().axis = 0;
  parts.weight_amax() = amax_of({3, 1}, {1, 0, 3}, DType::f32);
  EXPECT_EQ(load(parts).quantizer("m.weight_quantizer")->amax->at(2), 3);
  parts.weight().axis = -2;
  EXPECT_EQ(error_in(parts), "");
}

TEST(Checkpoint, LoadsUnquantizedOnes) {
  Parts parts;
  parts.state.reset();
  parts.tensors = {{"m.weight", HostTensor(DType::bf16, {3, 2})}};
  const auto checkpoint = load(parts);
  EXPECT_TRUE(checkpoint.quant.by_name.empty());
  EXPECT_EQ(describe(checkpoint.tensor("m.weight")), "bf16[3,2]");
}

TEST(Checkpoint, RefusesRangesThatAreMissingOrTooMany) {
  Parts parts;
  parts.tensors.erase("m.input_quantizer._amax");
  EXPECT_THAT(error_in(parts), AllOf(HasSubstr("quantizer `m.input_quantizer` is enabled, but there is no tensor"), HasSubstr("fix: ")));
  parts.state->by_name.at("m.input_quantizer").dynamic = true;
  EXPECT_EQ(error_in(parts), "") << "a dynamic quantizer has no stored range";
  parts.state->by_name.at("m.input_quantizer").enabled = false;
  EXPECT_EQ(load(parts).quantizer("m.input_quantizer"), nullptr);

  parts = Parts();
  parts.tensors.emplace("n.input_quantizer._amax", amax_of({}, {1}));
  EXPECT_THAT(error_in(parts), HasSubstr("`n.input_quantizer._amax` belongs to no quantizer"));
  parts = Parts();
  parts.state.reset();
  EXPECT_THAT(error_in(parts), AllOf(HasSubstr("no modelopt_state.pth"), HasSubstr("fix: copy modelopt_state.pth")));
  parts = Parts();
  parts.weight().enabled = false;
  EXPECT_EQ(error_in(parts), "") << "switched off after its calibration";
  parts = Parts();
  QuantizerState softmax = parts.weight();
  softmax.name = "a.softmax_quantizer";
  parts.state->by_name.emplace(softmax.name, softmax);
  EXPECT_EQ(error_in(parts), "") << "a softmax needs no range";
}

TEST(Checkpoint, RefusesRangesThatAreNoRanges) {
  for (const float bad : {-1.0f, std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    Parts parts;
    parts.weight_amax() = amax_of({}, {bad});
    EXPECT_THAT(error_in(parts), AllOf(HasSubstr("finite and >= 0"), HasSubstr("checking `m.weight_quantizer._amax`"))) << bad;
  }
  Parts parts;
  parts.weight_amax() = amax_of({1, 1}, {0});
  EXPECT_EQ(error_in(parts), "") << "a weight of zeros";
  parts.tensors.at("m.weight") = from_f32(DType::f16, {3, 2}, std::vector<float>{0, 0, 0, 1, 0, 0});
  EXPECT_THAT(error_in(parts), AllOf(HasSubstr("element 0 is 0, but the weight is not"), HasSubstr("`m.weight_quantizer._amax`")));
  parts.weight().axis = 0;
  parts.weight_amax() = amax_of({3, 1}, {0, 1, 0});
  EXPECT_EQ(error_in(parts), "") << "rows of zeros";
  parts.weight_amax() = amax_of({3, 1}, {0, 0, 0});
  EXPECT_THAT(error_in(parts), HasSubstr("element 1 is 0, but the weight is not"));
  parts = Parts();
  parts.tensors.at("m.input_quantizer._amax") = amax_of({}, {0});
  EXPECT_THAT(error_in(parts), AllOf(HasSubstr("calibration never reached"), HasSubstr("`m.input_quantizer._amax`")));
  parts = Parts();
  parts.weight_amax() = HostTensor(DType::i32, {});
  EXPECT_THAT(error_in(parts), HasSubstr("it is i32"));
  parts.weight_amax() = HostTensor(DType::f16, {0});
  EXPECT_THAT(error_in(parts), HasSubstr("it is empty"));
  parts.weight_amax() = HostTensor(DType::f16, {3, 1});
  EXPECT_THAT(error_in(parts), HasSubstr("has 3 elements, but its quantizer is per tensor"));
  parts.weight().axis = 1;
  EXPECT_THAT(error_in(parts), HasSubstr("f16[3,1] does not lie along axis 1"));
  parts.weight().axis = INT64_MIN;
  EXPECT_THAT(error_in(parts), HasSubstr("does not lie along axis"));
  parts.weight().axis = 0;
  parts.weight_amax() = HostTensor(DType::f16, {2, 1});
  EXPECT_THAT(error_in(parts), HasSubstr("f16[2,1] does not match the weight f16[3,2]"));
}

TEST(Checkpoint, RefusesOtherFormsOfQuantization) {
  Parts parts;
  EXPECT_EQ(code_of([&] { load(parts, "hf_quant_config.json"); }), Code::kInvalid) << "it says nothing";
  parts.config = R"({"model_type": "clip", "quantization_config": {}})";
  EXPECT_EQ(code_of([&] { load(parts); }), Code::kUnsupported);
  parts = Parts();
  parts.tensors.emplace("m.input_quantizer._pre_quant_scale", amax_of({2}, {1, 1}));
  EXPECT_EQ(code_of([&] { load(parts); }), Code::kUnsupported);
}

TEST(Checkpoint, NamesMissingAndDamagedFiles) {
  const testing::TemporaryDirectory directory;
  EXPECT_EQ(code_of([&] { load_checkpoint(directory.path() / "none"); }), Code::kIo);
  EXPECT_THAT(error_of([&] { load_checkpoint(directory.path()); }), HasSubstr("config.json"));
  write_text(directory.path() / "config.json", "{}");
  EXPECT_EQ(code_of([&] { load_checkpoint(directory.path()); }), Code::kIo);
  Parts parts;
  for (const char* config : {"", "[]", "{\"a\":1,\"a\":1}", "{"}) {
    parts.config = config;
    EXPECT_THAT(error_in(parts), HasSubstr("config.json")) << config;
  }
  write_safetensors(directory.path() / "model.safetensors", std::vector<std::pair<std::string, HostTensor>>{});
  write_text(directory.path() / "modelopt_state.pth", "PK");
  EXPECT_THAT(error_of([&] { load_checkpoint(directory.path()); }), HasSubstr("modelopt_state.pth"));
}

}  // namespace
}  // namespace octet
