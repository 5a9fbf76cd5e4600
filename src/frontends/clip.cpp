#include "frontends/clip.h"

#include <limits>

#include "frontends/picture_input.h"
#include "frontends/tower_builder.h"
#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/compare.h"
#include "ops/concat.h"
#include "ops/conv.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/shape.h"
#include "ops/transpose.h"

namespace octet {
namespace {

// Additive causal mask [1, 1, T, T]: 0 on and below the diagonal, -inf above.
std::vector<float> causal_mask(int64_t tokens) {
  std::vector<float> mask(static_cast<size_t>(tokens * tokens), 0.0f);
  for (int64_t i = 0; i < tokens; ++i)
    for (int64_t j = i + 1; j < tokens; ++j) mask[static_cast<size_t>(i * tokens + j)] = -std::numeric_limits<float>::infinity();
  return mask;
}

// The row of the end-of-text token. Configs with eos_token_id 2 (OpenAI's originals) mean "the largest id": argmax of the ids.
ValueId end_of_text(TowerBuilder& b, ValueId ids, const ClipConfig& config, DType ids_dtype) {
  Graph& g = b.graph;
  ValueId key = ids;
  if (config.eos_token_id != 2) {
    HostTensor eos(ids_dtype, {});
    eos.set_int(0, config.eos_token_id);
    const ValueId match = g.add(make_op(Equal{}), {ids, g.add_constant("eos_token_id", eos)}, "is_eos", "text_model.eos.equal");
    key = g.add(make_op(Cast{.to = DType::i32}), {match}, "is_eos.i32", "text_model.eos.cast");
  }
  const ValueId row = g.add(make_op(ArgMax{.axis = 1, .keepdims = 0}), {key}, "eos_row", "text_model.eos.argmax");
  return g.add(make_op(Unsqueeze{}), {row, b.integers("axis_1", {1})}, "eos_index", "text_model.eos.unsqueeze");
}

}  // namespace

Precision parse_precision(const std::string& name) {
  for (const Precision p : {Precision::kFp8, Precision::kFp16, Precision::kBf16, Precision::kFp32})
    if (name_of(p) == name) return p;
  throw Error(Code::kUsage, fmt::format("precision `{}` is not one of fp8, fp16, bf16, fp32", name));
}

std::string name_of(Precision precision) {
  constexpr const char* kNames[] = {"fp8", "fp16", "bf16", "fp32"};
  return kNames[static_cast<int>(precision)];
}

ClipGraph build_clip_text(const Checkpoint& checkpoint, const ClipExportOptions& options) {
  const ClipConfig config = read_clip_config(checkpoint.config);
  const int64_t width = config.text.hidden, tokens = config.positions;
  TowerBuilder b(checkpoint, options, "clip_text");
  b.notes = checkpoint.notes;
  Graph& g = b.graph;
  const ValueId ids = g.add_input(options.blog_names ? "text_input" : "input_ids", {options.ids, {Dim(1, "batch"), tokens}});
  const ValueId table = b.parameter("text_model.embeddings.token_embedding.weight", {config.vocabulary, width});
  const ValueId position = b.parameter("text_model.embeddings.position_embedding.weight", {tokens, width});
  ValueId x = g.add(make_op(Gather{}), {table, ids}, "text_model.embeddings.tokens", "text_model.embeddings.gather");
  x = g.add(make_op(Add{}), {x, position}, "text_model.embeddings.out", "text_model.embeddings.add");
  const ValueId mask = b.constant("causal_mask", {1, 1, tokens, tokens}, causal_mask(tokens));
  for (int64_t i = 0; i < config.text.layers; ++i)
    x = b.transformer_layer(x, fmt::format("text_model.encoder.layers.{}", i), config.text, tokens, mask);
  x = b.layer_norm(x, "text_model.final_layer_norm", width, config.text.epsilon);
  const ValueId pooled =
      g.add(make_op(GatherND{.batch_dims = 1}), {x, end_of_text(b, ids, config, options.ids)}, "text_model.pooled", "text_model.pool");
  const ValueId y = b.linear(b.quantize_input(pooled, "text_projection"), "text_projection", width, config.projection, false);
  b.note_unused({"text_model.", "text_projection."});
  return b.finish(b.normalize(y), "text_embeds");
}

ClipGraph build_clip_image(const Checkpoint& checkpoint, const ClipExportOptions& options) {
  const ClipConfig config = read_clip_config(checkpoint.config);
  const int64_t width = config.vision.hidden, size = config.image_size, tokens = config.patches() + 1;
  TowerBuilder b(checkpoint, options, "clip_image");
  b.notes = checkpoint.notes;
  Graph& g = b.graph;
  const std::string name = "vision_model.embeddings";
  const std::string input = options.blog_names ? "image_input" : "pixel_values";
  const ValueId pixels = options.uint8_input ? uint8_picture(b, ClipPreprocess::load(checkpoint.dir), input, config)
                                             : g.add_input(input, {b.dtype(), {Dim(1, "batch"), config.channels, size, size}});
  const ValueId kernel = b.parameter(name + ".patch_embedding.weight", {width, config.channels, config.patch, config.patch});
  Conv conv;
  conv.kernel_shape = conv.strides = {config.patch, config.patch};
  ValueId x = g.add(make_op(conv), {pixels, kernel}, name + ".patches", name + ".patch_embedding");
  x = g.add(make_op(Reshape{}), {x, b.integers("patch_shape", {0, width, tokens - 1})}, name + ".flat", name + ".flatten");
  x = g.add(make_op(Transpose{.perm = {0, 2, 1}}), {x}, name + ".rows", name + ".transpose");
  const HostTensor& token = checkpoint.tensor(name + ".class_embedding");
  if (token.dims() != std::vector<int64_t>{width})
    fail(Code::kInvalid, "tensor `{}.class_embedding` is {}, expected [{}]", name, describe(token), width);
  const ValueId class_token = g.add_constant(name + ".class_embedding", from_f32(b.dtype(), {1, 1, width}, to_f32(token)));
  const ValueId batch = g.add(make_op(ShapeOp{.start = 0, .end = 1}), {pixels}, "batch_size", name + ".batch_size");
  const ValueId dims =
      g.add(make_op(Concat{.axis = 0}), {batch, b.integers("class_shape", {1, width})}, name + ".class_dims", name + ".class_dims");
  const ValueId row = g.add(make_op(Expand{}), {class_token, dims}, name + ".class_rows", name + ".expand_class");
  x = g.add(make_op(Concat{.axis = 1}), {row, x}, name + ".tokens", name + ".concat");
  x = g.add(make_op(Add{}), {x, b.parameter(name + ".position_embedding.weight", {tokens, width})}, name + ".out", name + ".add");
  x = b.layer_norm(x, "vision_model.pre_layrnorm", width, config.vision.epsilon);
  for (int64_t i = 0; i < config.vision.layers; ++i)
    x = b.transformer_layer(x, fmt::format("vision_model.encoder.layers.{}", i), config.vision, tokens, kNone);
  const ValueId first = g.add_constant("class_row", HostTensor(DType::i64, {}));
  const ValueId pooled = g.add(make_op(Gather{.axis = 1}), {x, first}, "vision_model.pooled", "vision_model.pool");
  x = b.layer_norm(pooled, "vision_model.post_layernorm", width, config.vision.epsilon);
  const ValueId y = b.linear(b.quantize_input(x, "visual_projection"), "visual_projection", width, config.projection, false);
  b.note_unused({"vision_model.", "visual_projection."});
  return b.finish(b.normalize(y), "image_embeds");
}

}  // namespace octet
