#include "profile/layer_info.h"

#include <gmock/gmock.h>

#include "plan/testing.h"

namespace octet::profile {
namespace {

using Json = nlohmann::ordered_json;

// A target that only says what its steps run as.
class Chosen : public Executable {
 public:
  explicit Chosen(const plan::Plan& plan) {
    for (const auto& step : plan.steps)
      choices_.push_back({"kernel_of_" + std::string(plan::kind_of(step.op)), plan::problem_of(plan, step, 1), {"better: not here"}});
  }
  std::span<const StepChoice> choices() const override { return choices_; }
  uint64_t weight_bytes() const override { return 0; }
  uint64_t arena_bytes(int64_t) const override { return 0; }
  std::unique_ptr<Context> new_context() const override { return nullptr; }

 private:
  std::vector<StepChoice> choices_;
};

const Json& layer(const Json& info, std::string_view name) {
  for (const Json& one : info["Layers"])
    if (one["Name"] == name) return one;
  throw std::out_of_range(std::string(name));
}

TEST(LayerInfo, IsTheInspectorsDocument) {
  const plan::Plan plan = plan::testing::text_plan();
  const Json info = layer_info(plan, Chosen(plan), {.batch = 4});
  ASSERT_EQ(info["Layers"].size(), plan.steps.size());
  EXPECT_EQ(info["Bindings"], (Json{"input_ids", "text_embeds", "unit"}));
  EXPECT_FALSE(info.contains("I/O Tensors"));
  const Json& qkv = layer(info, "qkv");
  EXPECT_EQ(qkv["LayerType"], "gemm");
  EXPECT_EQ(
      qkv["Inputs"],
      (Json::array(
          {{{"Name", "h"}, {"Location", "Device"}, {"Dimensions", {4, 5, 24}}, {"Format/Datatype", "Row major linear FP8 format"}}})));
  EXPECT_EQ(qkv["Outputs"][0]["Name"], "qkv");
  EXPECT_EQ(qkv["Constants"], (Json{"w_qkv", "b_qkv"}));
  EXPECT_EQ(qkv["M"], 20);
  EXPECT_EQ(qkv["Weights"], (Json{{"Type", "FP8"}, {"Count", 72 * 24}}));
  EXPECT_EQ(qkv["HasResidual"], false);
  EXPECT_EQ(qkv["TacticName"], "kernel_of_gemm");
  EXPECT_THAT(qkv["TacticValue"].get<std::string>(), testing::StartsWith("0x"));
  EXPECT_EQ(qkv["Metadata"], "[ONNX Layer: qkv/node]");
  EXPECT_EQ(qkv["Precision"], "e4m3");
  EXPECT_EQ(qkv["Refused"], (Json{"better: not here"}));
  EXPECT_EQ(layer(info, "attention")["Inputs"].size(), 1u);  // q, k and v are columns of one tensor
}

TEST(LayerInfo, WithoutABatchIsDynamic) {
  const plan::Plan plan = plan::testing::image_plan();
  const Json info = layer_info(plan, Chosen(plan));
  for (const Json& one : info["Layers"]) EXPECT_EQ(one["Outputs"][0]["Dimensions"][0], -1);
}

TEST(LayerInfo, NamesAloneOrNothing) {
  const plan::Plan plan = plan::testing::text_plan();
  const Json names = layer_info(plan, Chosen(plan), {.verbosity = Verbosity::kLayerNamesOnly});
  ASSERT_EQ(names["Layers"].size(), plan.steps.size());
  EXPECT_EQ(names["Layers"][0], plan.steps[0].name);
  EXPECT_TRUE(layer_info(plan, Chosen(plan), {.verbosity = Verbosity::kNone})["Layers"].empty());
}

TEST(LayerInfo, Of11HasItsTensors) {
  const plan::Plan plan = plan::testing::text_plan();
  const Json info = layer_info(plan, Chosen(plan), {.batch = 2, .compat = 11});
  EXPECT_FALSE(info.contains("Bindings"));
  EXPECT_EQ(info["I/O Tensors"][0]["Name"], "input_ids");
  EXPECT_EQ(info["I/O Tensors"][0]["IOMode"], "Input");
  EXPECT_EQ(info["I/O Tensors"][0]["DataType"], "Int64");
  EXPECT_EQ(layer(info, "qkv")["Outputs"][0]["Datatype"], "FP8");
}

TEST(LayerInfo, IsJsonWhateverTheNames) {
  plan::Plan plan = plan::testing::text_plan();
  plan.steps[0].name = "\"}],\\ \n\x01 </script> \xff\xfe";
  plan.source.nodes[0].name = "a\"b\x80";
  plan.buffers[1].name = std::string("nul\0byte", 8);
  const Json parsed = Json::parse(dump_json(layer_info(plan, Chosen(plan))));
  EXPECT_EQ(parsed["Layers"][0]["Name"], "\"}],\\ \n\x01 </script> \xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(parsed["Layers"][0]["Outputs"][0]["Name"].get<std::string>().size(), 8u);
}

}  // namespace
}  // namespace octet::profile
