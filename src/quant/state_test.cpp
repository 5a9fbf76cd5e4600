#include "quant/state.h"

#include <gmock/gmock.h>

#include "formats/hostile_testing.h"
#include "formats/torch_zip/torch_zip.h"

namespace octet {
namespace {

using ::testing::AllOf;
using testing::code_of;
using testing::error_of;
using ::testing::HasSubstr;

using Entries = PickleValue::Entries;

PickleValue mode(const char* name, Entries quantizers) {
  const auto metadata = PickleValue::dict({{"quantizer_state", PickleValue::dict(std::move(quantizers))}});
  return PickleValue::tuple({name, PickleValue::dict({{"config", PickleValue::dict()}, {"metadata", metadata}})});
}
PickleValue state_of(PickleValue::Items modes) {
  return PickleValue::dict({{"modelopt_state_dict", PickleValue::list(std::move(modes))}, {"modelopt_version", "0.99"}});
}
QuantizerState read(Entries quantizer) {
  const auto state = read_modelopt_state(state_of({mode("quantize", {{"q", PickleValue::dict(std::move(quantizer))}})}));
  return state.by_name.at("q");
}

// Expected counts: a Python pickle.Unpickler on the same file.
TEST(QuantState, ReadsTheRealState) {
  const auto state = read_modelopt_state(read_torch_zip(testing::model_dir() / "modelopt_state.pth"));
  EXPECT_EQ(state.modelopt_version, "0.47.0");
  EXPECT_EQ(state.by_name.size(), 348u);
  std::map<std::string, int> enabled;
  for (const auto& [name, q] : state.by_name) {
    EXPECT_EQ(q.name, name);
    EXPECT_FALSE(q.amax || q.axis || q.block || q.dynamic);
    if (!q.enabled) continue;
    ++enabled[name.substr(name.rfind('.') + 1)];
    EXPECT_TRUE(q.is_e4m3()) << name;
    EXPECT_EQ(q.trt_high_precision_dtype, "Half");
  }
  const std::map<std::string, int> expected = {{"input_quantizer", 74}, {"weight_quantizer", 74}, {"q_bmm_quantizer", 12},
                                               {"k_bmm_quantizer", 12}, {"v_bmm_quantizer", 12},  {"bmm2_output_quantizer", 12}};
  EXPECT_EQ(enabled, expected);
}

TEST(QuantState, MissingKeysTakeTheDefaults) {
  const auto q = read({});
  EXPECT_TRUE(q.enabled);
  EXPECT_EQ(q.integer_bits, 8);
  EXPECT_EQ(q.exponent_bits, 0);
  EXPECT_FALSE(q.axis || q.block || q.dynamic);
  EXPECT_EQ(q.trt_high_precision_dtype, "Float");
  EXPECT_EQ(read_modelopt_state(PickleValue::dict({{"modelopt_state_dict", PickleValue::list()}})).modelopt_version, "");
}

TEST(QuantState, ReadsFormatsByName) {
  const auto e4m3 = read({{"unknown key", 3}, {"_num_bits", PickleValue::tuple({4, 3})}, {"_axis", 0}, {"_dynamic", true}});
  EXPECT_TRUE(e4m3.is_e4m3());
  EXPECT_EQ(e4m3.axis, 0);
  EXPECT_TRUE(e4m3.dynamic);
  const auto nvfp4 = read({{"_num_bits", PickleValue::tuple({2, 1})}, {"_block_sizes", PickleValue::dict({{-1, 16}})}});
  EXPECT_TRUE(nvfp4.block);
  EXPECT_EQ(nvfp4.exponent_bits, 2);
  EXPECT_EQ(read({{"_num_bits", 4}, {"_axis", PickleValue::tuple({-1})}}).axis, -1);
  EXPECT_FALSE(read({{"_if_quant", false}}).enabled);
}

TEST(QuantState, DisabledComesFirst) {
  EXPECT_FALSE(read({{"_disabled", true}, {"_num_bits", 8}, {"_rotate", true}, {"_axis", PickleValue::tuple({0, 1})}}).enabled);
}

TEST(QuantState, TheLastModeWithStateCounts) {
  const auto off = PickleValue::dict({{"_disabled", true}}), on = PickleValue::dict();
  const auto bare = PickleValue::tuple({"kd_loss", PickleValue::dict({{"metadata", PickleValue::dict()}})});
  const auto state =
      read_modelopt_state(state_of({mode("quantize", {{"q", off}, {"gone", on}}), mode("max_calibrate", {{"q", on}}), bare}));
  EXPECT_EQ(state.by_name.size(), 1u);
  EXPECT_TRUE(state.by_name.at("q").enabled);
  EXPECT_TRUE(read_modelopt_state(state_of({bare})).by_name.empty());
}

TEST(QuantState, RefusesWhatOctetDoesNotReproduce) {
  const Entries cases = {
      {"_rotate", true},      {"_bias", PickleValue::dict({{-1, {}}})}, {"_use_constant_amax", true},         {"_constant_amax", 448.0},
      {"_fake_quant", false}, {"is_sequential_quantizer", true},        {"_axis", PickleValue::tuple({0, 1})}};
  for (const auto& entry : cases) {
    EXPECT_EQ(code_of([&] { read({entry}); }), Code::kUnsupported) << entry.first.as_string();
    EXPECT_THAT(error_of([&] { read({entry}); }),
                AllOf(HasSubstr("`" + entry.first.as_string() + "`"), HasSubstr("reading quantizer `q`")));
  }
}

TEST(QuantState, RefusesOtherStructures) {
  for (const auto& bits : {PickleValue("8"), PickleValue::tuple({4}), PickleValue::tuple({4, 3, 1}), PickleValue(-1), PickleValue(999),
                           PickleValue::tuple({0, 3}), PickleValue(8.0)})
    EXPECT_EQ(code_of([&] { read({{"_num_bits", bits}}); }), Code::kInvalid);
  EXPECT_THAT(error_of([] {
                read({{"_disabled", 1}});
              }),
              AllOf(HasSubstr("expected a bool, found an int"), HasSubstr("reading `_disabled`")));
  EXPECT_EQ(code_of([] { read_modelopt_state(PickleValue::list()); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { read_modelopt_state(PickleValue::dict()); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { read_modelopt_state(state_of({3})); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { read_modelopt_state(state_of({PickleValue::tuple({"quantize"})})); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { read_modelopt_state(state_of({mode("quantize", {{1, PickleValue::dict()}})})); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { read_modelopt_state(state_of({mode("quantize", {{"q", 1}})})); }), Code::kInvalid);
}

TEST(QuantState, MakesAStateThatReadsBack) {
  const testing::TemporaryDirectory directory;
  QuantState state = read_modelopt_state(read_torch_zip(testing::model_dir() / "modelopt_state.pth"));
  state.by_name.at("visual_projection.weight_quantizer").axis = 0;
  state.by_name.at("visual_projection.weight_quantizer").amax = HostTensor(DType::f16, {256, 1});
  write_torch_zip(directory.path() / "modelopt_state.pth", make_modelopt_state(state));
  const PickleValue value = read_torch_zip(directory.path() / "modelopt_state.pth");
  const QuantState back = read_modelopt_state(value);
  EXPECT_EQ(back.modelopt_version, "0.47.0");
  ASSERT_EQ(back.by_name.size(), state.by_name.size());
  for (const auto& [name, q] : state.by_name) {
    const auto& r = back.by_name.at(name);
    EXPECT_EQ(std::tie(r.enabled, r.exponent_bits, r.mantissa_bits, r.dynamic, r.trt_high_precision_dtype),
              std::tie(q.enabled, q.exponent_bits, q.mantissa_bits, q.dynamic, q.trt_high_precision_dtype));
    if (q.enabled) {
      EXPECT_EQ(r.axis, q.axis) << name;
    }
  }
  const auto& written =
      value.at("modelopt_state_dict").items()[0].items()[1].at("metadata").at("quantizer_state").at("visual_projection.weight_quantizer");
  EXPECT_EQ(written.at("_pytorch_state_metadata").at("buffers").at("_amax").at("shape").items()[0].as_int(), 256);
  state.by_name.begin()->second.block = true;
  EXPECT_EQ(code_of([&] { make_modelopt_state(state); }), Code::kUnsupported);
}

}  // namespace
}  // namespace octet
