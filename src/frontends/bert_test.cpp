// BERT graphs from a tiny checkpoint written here: inputs, positions, FP8 sites at BertModel's own module names, what is refused.
#include "frontends/bert.h"

#include <gmock/gmock.h>

#include "formats/hostile_testing.h"
#include "ops/layer_normalization.h"
#include "ops/matmul.h"
#include "ops/quantize.h"

namespace octet {
namespace {

using testing::code_of;

constexpr int64_t kWidth = 8, kInner = 16, kPositions = 6;

template <class T>
int count(const Graph& graph) {
  int n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) n += graph.node(id).as<T>() != nullptr;
  return n;
}

class Bert : public ::testing::Test {
 protected:
  Bert() {
    add("embeddings.word_embeddings.weight", {11, kWidth});
    add("embeddings.position_embeddings.weight", {kPositions, kWidth});
    add("embeddings.token_type_embeddings.weight", {2, kWidth});
    norm("embeddings.LayerNorm");
    for (const char* name : {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"})
      linear(layer(name), kWidth, kWidth);
    linear(layer("intermediate.dense"), kInner, kWidth);
    linear(layer("output.dense"), kWidth, kInner);
    norm(layer("attention.output.LayerNorm"));
    norm(layer("output.LayerNorm"));
  }
  static std::string layer(const std::string& name) { return "encoder.layer.0." + name; }
  void add(const std::string& name, std::vector<int64_t> dims) {
    HostTensor tensor(DType::f32, std::move(dims));
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, 0.125 * static_cast<double>((i * 5 + 3) % 9 - 4));
    tensors_.emplace_back(name, tensor);
  }
  void linear(const std::string& name, int64_t out, int64_t in) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
    linears_.push_back(name);
  }
  void norm(const std::string& name) { add(name + ".weight", {kWidth}), add(name + ".bias", {kWidth}); }

  Checkpoint load(const std::string& extra = "") {
    write_safetensors(directory_.path() / "model.safetensors", tensors_);
    write_text(directory_.path() / "config.json",
               R"({"model_type": "bert", "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                   "vocab_size": 11, "max_position_embeddings": 6)" +
                   extra + "}");
    return load_checkpoint(directory_.path());
  }
  static void quantize(Checkpoint& checkpoint, const std::string& name) {
    QuantizerState q;
    q.name = name, q.enabled = true, q.exponent_bits = 4, q.mantissa_bits = 3;
    q.amax = HostTensor(DType::f32, {});
    q.amax->set(0, 2);
    checkpoint.quant.by_name[name] = q;
  }

  std::vector<std::pair<std::string, HostTensor>> tensors_;
  std::vector<std::string> linears_;
  testing::TemporaryDirectory directory_;
};

TEST_F(Bert, HasHuggingFacesInputsAndAsManyTokensAsAsked) {
  ClipExportOptions options;
  options.precision = Precision::kFp16;
  const Checkpoint checkpoint = load();
  ASSERT_TRUE(is_bert(checkpoint));
  for (const int64_t tokens : {0, 4}) {
    const Graph graph = build_bert(checkpoint, options, tokens).graph;
    std::vector<std::string> names;
    for (const ValueId id : graph.inputs) {
      names.push_back(graph.value(id).name);
      EXPECT_EQ(to_string(*graph.value(id).type), tokens == 0 ? "i64[batch,6]" : "i64[batch,4]");
    }
    EXPECT_THAT(names, ::testing::ElementsAre("input_ids", "attention_mask", "token_type_ids"));
    EXPECT_EQ(to_string(*graph.value(graph.outputs.at(0)).type), tokens == 0 ? "f16[batch,6,8]" : "f16[batch,4,8]");
    EXPECT_EQ(count<LayerNormalization>(graph), 3);
  }
}

TEST_F(Bert, TakesQuantizersAtItsOwnModules) {
  Checkpoint checkpoint = load();
  for (const std::string& name : linears_)
    quantize(checkpoint, name + ".input_quantizer"), quantize(checkpoint, name + ".weight_quantizer");
  // The input that q, k and v share, output.dense of the attention, and both of the MLP; weights behind a DQ each.
  const Graph linear = build_bert(checkpoint, {}, 0).graph;
  EXPECT_EQ(count<QuantizeLinear>(linear), 4);
  EXPECT_EQ(count<DequantizeLinear>(linear), 4 + 6);
  for (const char* which : {".q_bmm_quantizer", ".k_bmm_quantizer", ".v_bmm_quantizer", ".bmm2_output_quantizer"})
    quantize(checkpoint, layer("attention.self") + which);
  // q, k, v and softmax more; the attention's output is what output.dense reads.
  EXPECT_EQ(count<QuantizeLinear>(build_bert(checkpoint, {}, 0).graph), 4 + 4);
}

TEST_F(Bert, SaysThatThePoolerIsLeftOut) {
  linear("pooler.dense", kWidth, kWidth);
  EXPECT_THAT(build_bert(load(), {}, 0).notes, ::testing::Contains(::testing::HasSubstr("pooler")));
}

TEST_F(Bert, Refuses) {
  EXPECT_EQ(code_of([&] { build_bert(load(), {}, kPositions + 1); }), Code::kUnsupported);
  EXPECT_EQ(code_of([&] { build_bert(load(R"(, "position_embedding_type": "relative_key")"), {}, 0); }), Code::kUnsupported);
  EXPECT_EQ(code_of([&] { build_bert(load(R"(, "type_vocab_size": 3)"), {}, 0); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { build_bert(load(R"(, "hidden_act": "swish")"), {}, 0); }), Code::kUnsupported);
}

}  // namespace
}  // namespace octet
