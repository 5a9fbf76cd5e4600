#include "frontends/clip_quantizers.h"

#include <gmock/gmock.h>

#include "formats/hostile_testing.h"
#include "frontends/checkpoint.h"

namespace octet {
namespace {

// ModelOpt's own quantization of the shipped model: the same names, and the same of them on.
TEST(ClipQuantizers, AreModelOptsForTheShippedModel) {
  const Checkpoint shipped = load_checkpoint(testing::model_dir());
  const QuantState mine = clip_quantizers(read_clip_config(shipped.config), QuantRecipe::kFp8, false);
  EXPECT_EQ(mine.modelopt_version, shipped.quant.modelopt_version);
  ASSERT_EQ(mine.by_name.size(), shipped.quant.by_name.size());
  for (const auto& [name, theirs] : shipped.quant.by_name) {
    ASSERT_TRUE(mine.by_name.contains(name)) << name;
    const QuantizerState& q = mine.by_name.at(name);
    EXPECT_EQ(q.enabled, theirs.enabled) << name;
    if (q.enabled) {
      EXPECT_TRUE(q.is_e4m3() && q.axis == theirs.axis && q.trt_high_precision_dtype == theirs.trt_high_precision_dtype) << name;
    }
  }
}

TEST(ClipQuantizers, RecipesAndChannels) {
  const ClipConfig config = read_clip_config(load_checkpoint(testing::model_dir()).config);
  const auto state = clip_quantizers(config, QuantRecipe::kFp8Linear, true).by_name;
  EXPECT_FALSE(state.at("text_model.encoder.layers.0.self_attn.q_bmm_quantizer").enabled);
  EXPECT_FALSE(state.at("vision_model.embeddings.patch_embedding.weight_quantizer").enabled);
  EXPECT_EQ(state.at("visual_projection.weight_quantizer").axis, 0);
  EXPECT_FALSE(state.at("visual_projection.input_quantizer").axis);
  EXPECT_TRUE(state.at("vision_model.encoder.layers.7.mlp.fc2.input_quantizer").enabled);
  EXPECT_EQ(parse_quant_recipe("fp8-linear"), QuantRecipe::kFp8Linear);
  EXPECT_EQ(testing::code_of([] { parse_quant_recipe("int8"); }), Code::kUsage);
}

}  // namespace
}  // namespace octet
