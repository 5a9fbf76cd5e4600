#include "frontends/bert.h"

#include "frontends/tower_builder.h"
#include "frontends/weights.h"
#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/gather.h"
#include "ops/reshape.h"

namespace octet {
namespace {

struct BertConfig {
  TransformerConfig encoder;
  int64_t vocabulary = 0, positions = 0, types = 0;
};

BertConfig read_config(const nlohmann::json& config) {
  BertConfig c;
  c.encoder = transformer_at(config, {768, 3072, 12, 12, "gelu", 1e-12f}, "BERT");
  c.vocabulary = size_at(config, "vocab_size", 30522);
  c.positions = size_at(config, "max_position_embeddings", 512);
  c.types = size_at(config, "type_vocab_size", 2);
  if (const std::string kind = text_at(config, "position_embedding_type", "absolute"); kind != "absolute")
    throw Error(Code::kUnsupported, fmt::format("config.json: position_embedding_type is `{}`; only absolute positions are built", kind));
  return c;
}

class Bert {
 public:
  Bert(const Checkpoint& checkpoint, const ClipExportOptions& options, int64_t tokens)
      : config_(read_config(checkpoint.config)),
        options_(options),
        tokens_(tokens > 0 ? tokens : config_.positions),
        prefix_(checkpoint.tensors.has("embeddings.word_embeddings.weight") ? "" : "bert."),
        builder_(checkpoint, options, "bert") {
    if (tokens_ > config_.positions)
      throw Error(Code::kUnsupported, fmt::format("{} tokens are more than the model has positions: {}", tokens_, config_.positions),
                  "export fewer with --tokens");
    builder_.notes = checkpoint.notes;
    if (checkpoint.tensors.has(prefix_ + "pooler.dense.weight"))
      builder_.notes.push_back("the pooler is left out: the output is last_hidden_state");
  }

  ClipGraph build() {
    const ValueId ids = input("input_ids"), mask = hidden_keys(input("attention_mask"));
    ValueId x = embeddings(ids, input("token_type_ids"));
    for (int64_t i = 0; i < config_.encoder.layers; ++i) x = layer(x, fmt::format("{}encoder.layer.{}", prefix_, i), mask);
    builder_.note_unused({""});
    return builder_.finish(x, "last_hidden_state");
  }

 private:
  Graph& graph() { return builder_.graph; }
  ValueId input(const std::string& name) { return graph().add_input(name, {options_.ids, {Dim(1, "batch"), tokens_}}); }

  // [batch, 1, 1, T]: 0 where the mask is not 0, else a quarter of the least number (a half of f16's), so that adding a score does
  // not leave the type.
  ValueId hidden_keys(ValueId mask) {
    const std::string name = "attention_mask";
    const float hidden = builder_.dtype() == DType::f16 ? -0x1p15f : -0x1p126f;
    const ValueId wide =
        graph().add(make_op(Unsqueeze{}), {mask, builder_.integers(name + ".axes", {1, 2})}, name + ".wide", name + ".unsqueeze");
    const ValueId seen = graph().add(make_op(Cast{.to = builder_.dtype()}), {wide}, name + ".seen", name + ".cast");
    const ValueId unseen = graph().add(make_op(Sub{}), {builder_.constant(name + ".one", {}, {1}), seen}, name + ".unseen", name + ".sub");
    return graph().add(make_op(Mul{}), {unseen, builder_.constant(name + ".hidden", {}, {hidden})}, name + ".bias", name + ".mul");
  }

  ValueId embeddings(ValueId ids, ValueId types) {
    const std::string name = prefix_ + "embeddings";
    const int64_t width = config_.encoder.hidden;
    const ValueId words = builder_.parameter(name + ".word_embeddings.weight", {config_.vocabulary, width});
    const ValueId kinds = builder_.parameter(name + ".token_type_embeddings.weight", {config_.types, width});
    ValueId x = graph().add(make_op(Gather{}), {words, ids}, name + ".words", name + ".gather_words");
    const ValueId kind = graph().add(make_op(Gather{}), {kinds, types}, name + ".types", name + ".gather_types");
    x = graph().add(make_op(Add{}), {x, kind}, name + ".typed", name + ".add_types");
    x = graph().add(make_op(Add{}), {x, positions(name + ".position_embeddings.weight")}, name + ".sum", name + ".add_positions");
    return builder_.layer_norm(x, name + ".LayerNorm", width, config_.encoder.epsilon);
  }

  // The first T rows of the table.
  ValueId positions(const std::string& name) {
    const int64_t width = config_.encoder.hidden;
    const ValueId all = builder_.parameter(name, {config_.positions, width});
    if (tokens_ == config_.positions) return all;
    const auto values = to_f32(*graph().constant_of(all));
    return builder_.constant(name + ".used", {tokens_, width}, {values.begin(), values.begin() + tokens_ * width});
  }

  ValueId layer(ValueId x, const std::string& name, ValueId mask) {
    const TransformerConfig& c = config_.encoder;
    const std::string self = name + ".attention.self", out = name + ".attention.output";
    const ValueId attended =
        builder_.attention(x, {self, self + ".query", self + ".key", self + ".value", out + ".dense"}, c, tokens_, mask);
    x = graph().add(make_op(Add{}), {attended, x}, out + ".sum", out + ".add");
    x = builder_.layer_norm(x, out + ".LayerNorm", c.hidden, c.epsilon);
    const std::string up = name + ".intermediate.dense", down = name + ".output.dense";
    ValueId h = builder_.linear(builder_.quantize_input(x, up), up, c.hidden, c.intermediate, true);
    h = builder_.activation(h, c.activation, name + ".intermediate.activation");
    h = builder_.linear(builder_.quantize_input(h, down), down, c.intermediate, c.hidden, true);
    x = graph().add(make_op(Add{}), {h, x}, name + ".output.sum", name + ".output.add");
    return builder_.layer_norm(x, name + ".output.LayerNorm", c.hidden, c.epsilon);
  }

  BertConfig config_;
  ClipExportOptions options_;
  int64_t tokens_;
  std::string prefix_;
  TowerBuilder builder_;
};

}  // namespace

bool is_bert(const Checkpoint& checkpoint) { return text_at(checkpoint.config, "model_type", "") == "bert"; }

ClipGraph build_bert(const Checkpoint& checkpoint, const ClipExportOptions& options, int64_t tokens) {
  return Bert(checkpoint, options, tokens).build();
}

}  // namespace octet
