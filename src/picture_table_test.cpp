// u8 pictures: whatever spells a normalisation of bytes becomes the table of the patch embedding, to the bit; what does not is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "base/error.h"
#include "cpu/backend.h"
#include "frontends/clip.h"
#include "image/preprocess.h"
#include "ir/text.h"
#include "lower/lower.h"
#include "numeric/convert.h"
#include "ops/list.h"
#include "passes/pipeline.h"
#include "plan/validate.h"
#include "runtime/engine.h"

namespace octet {
namespace {

using testing::HasSubstr;

// A tower's first nodes: the picture `input`, what `chain` makes of it (%p, of `type`), patches of 2 x 2.
std::string tower(const std::string& input, const std::string& chain, const std::string& type) {
  std::string text = "graph test opset 22\n  input %x: " + input + "\n";
  text += "  const %w: T[2,3,2,2] = {1,2,3,4,5,6,7,8,9,10,11,12,1,2,3,4,5,6,7,8,9,10,11,12}\n";
  text += "  const %shape: i64[3] = {0,2,6}\n  const %position: T[6,2] = {0,0,0,0,0,0,0,0,0,0,0,0}\n";
  text += "  const %mean: f32[3] = {0.25,0.5,0.375}\n  const %std: f32[3] = {0.125,0.25,0.3}\n";
  text += "  const %means: T[3,1,1] = {0.25,0.5,0.375}\n  const %one: f32[] = {1}\n";
  text += "  const %d: f32[] = {255}\n  const %r: f32[1,1,1,1] = {0.003921568859368563}\n  const %rt: T[] = {0.003921568859368563}\n";
  text += chain;
  text += R"(
  %c = Conv(%p, %w) {kernel_shape=[2,2], strides=[2,2]} "patches"
  %f = Reshape(%c, %shape)
  %t = Transpose(%f) {perm=[0,2,1]}
  %y = Add(%t, %position)
  output %y
)";
  for (size_t at = text.find("T["); at != text.npos; at = text.find("T[", at)) text.replace(at, 1, type);
  return text;
}

std::shared_ptr<plan::Plan> lowered(const std::string& text) {
  Graph graph = parse_graph(text, find_op);
  plan::Source source = record_source(graph);
  passes::run_pipeline(graph);
  auto plan = lower(graph, std::move(source), {});
  plan->creator = "test";
  plan::validate(*plan);
  return plan;
}

// Row `channel` of the table of a tower of one step.
std::vector<float> row_of(const plan::Plan& plan, int64_t channel) {
  EXPECT_EQ(plan.steps.size(), 1u);
  const auto& op = std::get<plan::PatchEmbed>(plan.steps.at(0).op);
  EXPECT_EQ(plan.buffers[op.pixels].dtype, DType::u8);
  EXPECT_EQ(plan.buffers[op.pixels].dims, (std::vector<int64_t>{4, 6, 3}));
  const HostTensor table(plan.weights.at(op.table).dtype, plan.weights[op.table].dims, plan.weight_bytes.at(op.table), nullptr);
  const std::vector<float> all = to_f32(table);
  return {all.begin() + channel * 256, all.begin() + (channel + 1) * 256};
}

constexpr const char* kBytes = "u8[batch,4,6,3]";
constexpr float kMean[] = {0.25f, 0.5f, 0.375f}, kStd[] = {0.125f, 0.25f, 0.3f}, kReciprocal = 0.003921568859368563f;

// Each channel of the table is what `value(byte, channel)` says.
template <class Value>
void expect_table(const std::string& chain, const std::string& type, Value&& value) {
  const auto plan = lowered(tower(kBytes, chain, type));
  for (int64_t c = 0; c < 3; ++c) {
    const std::vector<float> row = row_of(*plan, c);
    for (int byte = 0; byte < 256; ++byte)
      ASSERT_EQ(row[static_cast<size_t>(byte)], value(static_cast<float>(byte), c)) << chain << " channel " << c << " byte " << byte;
  }
}
float as_f16(float x) { return decode_f16(encode_f16(x)); }

TEST(PictureTable, AnySpellingOfANormalisationFoldsToTheBit) {
  expect_table(R"(
  %b = Cast(%x) {to=f32}
  %s = Div(%b, %d)
  %m = Sub(%s, %mean)
  %n = Div(%m, %std)
  %h = Cast(%n) {to=f16}
  %p = Transpose(%h) {perm=[0,3,1,2]})",
               "f16", [](float x, int64_t c) { return as_f16((x / 255 - kMean[c]) / kStd[c]); });
  expect_table(R"(
  %b = Cast(%x) {to=f32}
  %s = Mul(%r, %b)
  %m = Mul(%s, %std)
  %n = Add(%mean, %m)
  %p = Transpose(%n) {perm=[0,3,1,2]})",
               "f32", [](float x, int64_t c) { return kReciprocal * x * kStd[c] + kMean[c]; });
  // Channels first, in the tower's own type.
  expect_table(R"(
  %t0 = Transpose(%x) {perm=[0,3,1,2]}
  %b = Cast(%t0) {to=f16}
  %s = Mul(%b, %rt)
  %p = Sub(%s, %means))",
               "f16", [](float x, int64_t c) { return as_f16(as_f16(x * as_f16(kReciprocal)) - kMean[c]); });
  // Two transposes, a constant on the left, a range turned around.
  expect_table(R"(
  %t0 = Transpose(%x) {perm=[0,2,1,3]}
  %b = Cast(%t0) {to=f32}
  %s = Div(%b, %d)
  %m = Sub(%one, %s)
  %p = Transpose(%m) {perm=[0,3,2,1]})",
               "f32", [](float x, int64_t) { return 1 - x / 255; });
}

TEST(PictureTable, TheStepStandsForAllOfItsNodes) {
  const auto plan = lowered(tower(kBytes, "  %b = Cast(%x) {to=f32}\n  %p = Transpose(%b) {perm=[0,3,1,2]}\n", "f32"));
  EXPECT_EQ(plan->source.steps.at(0).size(), 6u);
  EXPECT_TRUE(plan->source.folded.empty());
}

std::string refusal(const std::string& text) {
  try {
    lowered(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
    return error.message();
  }
  return "accepted";
}

TEST(PictureTable, WhatDoesNotFoldIsRefusedWithTheReason) {
  const std::string cast = "  %b = Cast(%x) {to=f32}\n", turn = "  %p = Transpose(%v) {perm=[0,3,1,2]}\n";
  const auto of = [&](const std::string& between, const std::string& input = kBytes) {
    return refusal(tower(input, cast + between, "f32"));
  };
  EXPECT_EQ(of("  %v = Div(%b, %d)\n" + turn), "accepted");
  EXPECT_THAT(of("  %v = Sqrt(%b) \"root\"\n" + turn), HasSubstr("`root` (Sqrt) between the picture and it is no Cast, Transpose"));
  EXPECT_THAT(of("  %v = Mul(%b, %b) \"square\"\n" + turn), HasSubstr("`square` is not arithmetic with a constant"));
  EXPECT_THAT(of("  const %row: f32[6,1] = {1,2,3,4,5,6}\n  %v = Add(%b, %row) \"vignette\"\n" + turn),
              HasSubstr("`row`, which `vignette` reads, is not one number a channel"));
  EXPECT_THAT(of("  %v = Div(%b, %d)\n  output %v\n" + turn), HasSubstr("`v` has other readers"));
  EXPECT_THAT(of("  %p = Div(%b, %d)\n", "u8[batch,3,4,6]"), HasSubstr("`x` is not [batch, H, W, C]"));
  EXPECT_THAT(of("  %v = Div(%b, %d)\n  %p = Transpose(%v) {perm=[0,3,2,1]}\n", "u8[batch,6,4,3]"),
              HasSubstr("`x` is not [batch, H, W, C]"));
  EXPECT_THAT(refusal(tower("f32[batch,3,4,6]", "  %p = Div(%x, %d)\n", "f32")), HasSubstr("only those of a u8 input fold"));
}

const Checkpoint& checkpoint() {
  static const Checkpoint loaded = load_checkpoint(OCTET_SOURCE_DIR "/models/clip-cifar10-fp8");
  return loaded;
}

std::shared_ptr<plan::Plan> exported(Precision precision, bool bytes) {
  ClipExportOptions options;
  options.precision = precision;
  options.uint8_input = bytes;
  Graph graph = build_clip_image(checkpoint(), options).graph;
  passes::run_pipeline(graph);
  auto plan = lower(graph, {}, {});
  plan->creator = "test";
  return plan;
}

// The floats that preprocessing gives, rounded to the tower's type.
TEST(PictureTable, AnExportsTableIsThePreprocessing) {
  const ClipPreprocess preprocess = ClipPreprocess::load(checkpoint().dir);
  for (const Precision precision : {Precision::kFp16, Precision::kBf16, Precision::kFp32}) {
    const auto plan = exported(precision, true);
    const auto& op = std::get<plan::PatchEmbed>(plan->steps.at(0).op);
    const plan::Weight& table = plan->weights.at(op.table);
    for (size_t c = 0; c < 3; ++c) {
      std::vector<std::byte> expected(256 * size_of(table.dtype));
      encode_many(table.dtype, preprocess.values[c].data(), 256, expected.data());
      EXPECT_TRUE(std::ranges::equal(plan->weight_bytes[op.table].subspan(c * expected.size(), expected.size()), expected))
          << name_of(precision) << " channel " << c;
    }
  }
}

// The embeddings of `items` pictures.
std::vector<std::byte> embeddings(std::shared_ptr<plan::Plan> plan, int64_t items, std::span<std::byte> pictures) {
  const auto engine = runtime::Engine::make(std::move(plan), *cpu::make_backend());
  const TensorInfo &in = engine->inputs().at(0), &out = engine->outputs().at(0);
  std::vector<std::byte> result(static_cast<size_t>(items) * out.bytes_per_item);
  const TensorView input{in.name, in.dtype, pictures.data(), pictures.size()}, output{out.name, out.dtype, result.data(), result.size()};
  runtime::Session(engine).run(items, {&input, 1}, {&output, 1});
  return result;
}

TEST(PictureTable, EmbeddingsAreThoseOfTheFloatExport) {
  constexpr int kSide = 32, kItems = 3;
  const ClipPreprocess preprocess = ClipPreprocess::load(checkpoint().dir);
  std::mt19937 random(1);
  std::vector<std::byte> bytes(kItems * kSide * kSide * 3);
  std::vector<float> floats(bytes.size());
  for (int item = 0; item < kItems; ++item) {
    Image image{kSide, kSide, std::vector<uint8_t>(kSide * kSide * 3)};
    for (uint8_t& byte : image.rgb) byte = static_cast<uint8_t>(random());
    std::memcpy(bytes.data() + static_cast<size_t>(item) * image.rgb.size(), image.rgb.data(), image.rgb.size());
    preprocess.run(image, floats.data() + static_cast<size_t>(item) * image.rgb.size());
  }
  for (const Precision precision : {Precision::kFp8, Precision::kFp16, Precision::kBf16, Precision::kFp32}) {
    const auto plan = exported(precision, false);
    const DType type = plan->buffers.at(plan->inputs.at(0).buffer).dtype;
    std::vector<std::byte> encoded(floats.size() * size_of(type));
    encode_many(type, floats.data(), static_cast<int64_t>(floats.size()), encoded.data());
    EXPECT_EQ(embeddings(exported(precision, true), kItems, bytes), embeddings(plan, kItems, encoded)) << name_of(precision);
  }
}

}  // namespace
}  // namespace octet
