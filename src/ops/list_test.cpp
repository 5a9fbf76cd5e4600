// The list of operators: names, domains, attributes of a fresh node.
#include "ops/list.h"

#include <algorithm>
#include <set>

#include "ops/quantize.h"
#include "ops/testing.h"
#include "ops/unary.h"

namespace octet {
namespace {

TEST(List, is_sorted_and_found_by_name) {
  std::set<std::string_view> names;
  for (const OpDef* def : all_ops()) {
    EXPECT_TRUE(names.insert(def->name).second) << def->name;
    EXPECT_EQ(find_op(def->name, def->domain), def);
    EXPECT_NE(def->make(), nullptr);
  }
  EXPECT_TRUE(std::is_sorted(all_ops().begin(), all_ops().end(), [](const OpDef* a, const OpDef* b) { return a->name < b->name; }));
}

TEST(List, domains) {
  EXPECT_EQ(find_op("Sqrt", "ai.onnx"), &op_def<Sqrt>());
  EXPECT_EQ(find_op("Sqrt", "com.microsoft"), nullptr);
  EXPECT_EQ(find_op("Sqrt", "trt"), nullptr);
  EXPECT_EQ(find_op("", "trt"), nullptr);
  EXPECT_EQ(find_op("sqrt", ""), nullptr);
  EXPECT_EQ(find_op("QuickGelu", ""), nullptr);
  EXPECT_NE(find_op("QuickGelu", "octet"), nullptr);
  for (const char* name : {"QuantizeLinear", "TRT_FP8QuantizeLinear"}) EXPECT_EQ(find_op(name, "trt"), &op_def<QuantizeLinear>());
  for (const char* name : {"DequantizeLinear", "TRT_FP8DequantizeLinear"}) EXPECT_EQ(find_op(name, "trt"), &op_def<DequantizeLinear>());
  EXPECT_EQ(find_op("TRT_FP8QuantizeLinear", ""), nullptr);
}

TEST(List, a_trt_quantizer_without_zero_point_gives_e4m3) {
  const auto type = [](std::string_view name) {
    return static_cast<const QuantizeLinear*>(make_attributes(name, "trt").get())->output_dtype;
  };
  EXPECT_EQ(type("TRT_FP8QuantizeLinear"), onnx_number(DType::e4m3));
  EXPECT_EQ(type("QuantizeLinear"), 0);
  EXPECT_EQ(make_attributes("Nothing", ""), nullptr);
}

// Attribute names and defaults as the standard gives them: what importers and exporters rely on.
class Names final : public FieldVisitor {
 public:
  std::string text;
  void field(std::string_view name, int64_t& value) override { text += fmt::format("{}={} ", name, value); }
  void field(std::string_view name, float& value) override { text += fmt::format("{}={} ", name, value); }
  void field(std::string_view name, std::string& value) override { text += fmt::format("{}={} ", name, value); }
  void field(std::string_view name, std::vector<int64_t>& value) override { text += fmt::format("{}[{}] ", name, value.size()); }
  void field(std::string_view name, std::vector<float>& value) override { text += fmt::format("{}[{}] ", name, value.size()); }
  void field(std::string_view name, DType& value) override { text += fmt::format("{}={} ", name, value); }
  void field(std::string_view name, HostTensor&) override { text += fmt::format("{} ", name); }
};

std::string attributes_of(std::string_view name) {
  Names names;
  const OpDef* def = find_op(name, "");
  def->visit(def->make().get(), 20, names);
  return names.text;
}

TEST(List, attribute_names_and_defaults) {
  EXPECT_EQ(attributes_of("Softmax"), "axis=-1 ");
  EXPECT_EQ(attributes_of("Add"), "");
  EXPECT_EQ(attributes_of("LayerNormalization"), "axis=-1 epsilon=1e-05 stash_type=1 ");
  EXPECT_EQ(attributes_of("Conv"), "auto_pad=NOTSET dilations[0] group=1 kernel_shape[0] pads[0] strides[0] ");
  EXPECT_EQ(attributes_of("Gemm"), "alpha=1 beta=1 transA=0 transB=0 ");
  EXPECT_EQ(attributes_of("ReduceMean"), "axes[0] keepdims=1 noop_with_empty_axes=0 ");
  EXPECT_EQ(attributes_of("ArgMax"), "axis=0 keepdims=1 select_last_index=0 ");
  EXPECT_EQ(attributes_of("QuantizeLinear"), "axis=1 block_size=0 output_dtype=0 precision=0 saturate=1 ");
  EXPECT_EQ(attributes_of("DequantizeLinear"), "axis=1 block_size=0 output_dtype=0 ");
  EXPECT_EQ(attributes_of("Cast"), "to=f32 saturate=1 round_mode=up ");
  EXPECT_EQ(attributes_of("Flatten"), "axis=1 ");
  EXPECT_EQ(attributes_of("Trilu"), "upper=1 ");
  EXPECT_EQ(attributes_of("Gelu"), "approximate=none ");
}

}  // namespace
}  // namespace octet
