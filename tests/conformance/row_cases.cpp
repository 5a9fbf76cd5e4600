// The operations that work on one row at a time, and patch embedding.
#include <array>

#include "group.h"

namespace octet::conformance {
namespace {

constexpr DType kFloats[] = {DType::f16, DType::bf16, DType::f32};
constexpr int64_t kBatches[] = {1, 3, 5};

// `table`: pixels are bytes, which stand for values of the type `pixels`.
void add_patches(Group& group, DType pixels, DType weight, DType out, std::array<int64_t, 4> picture, int64_t cols, bool class_token,
                 bool table = false) {
  const auto [channels, height, width, patch] = picture;
  const int64_t tokens = height / patch * (width / patch) + class_token, k = channels * patch * patch;
  const bool codes = weight == DType::e4m3;
  plan::PatchEmbed op;
  if (table) op.pixels = group.buffer(DType::u8, {height, width, channels}, {0, 0, 256}), op.table = group.weight(pixels, {channels, 256});
  else op.pixels = group.buffer(pixels, {channels, height, width});
  op.out = group.buffer(out, {tokens, cols});
  op.weight = group.weight(weight, {cols, k}, {0, codes ? 60 : 0.05, 0});
  op.scale = codes ? 1.0f / 1200 : 1;
  if (cols % 3 != 0) op.bias = group.weight(DType::f32, {cols}, {0, 0.1, 0});
  if (class_token) op.class_token = group.weight(DType::f16, {cols}, {0, 0.5, 0});
  if (cols != 17) op.position = group.weight(DType::f16, {tokens, cols}, {0, 0.1, 0});
  op.channels = static_cast<uint32_t>(channels), op.height = static_cast<uint32_t>(height), op.width = static_cast<uint32_t>(width);
  op.patch = static_cast<uint32_t>(patch);
  group.step(op, kBatches[tokens % 3]);
}

}  // namespace

void add_norm(Group& group) {
  constexpr int64_t kRows[] = {1, 7, 50};
  uint32_t turn = 0;
  for (const DType in : kFloats)
    for (const DType out : {DType::e4m3, in})
      for (const int64_t cols : {1, 7, 8, 64, 255, 256, 264, 384, 768, 1000, 1024, 1280, 2048, 4096, 4104}) {
        const int64_t rows = cols > 2000 ? 3 : kRows[turn % 3];
        plan::Norm op;
        op.in = group.buffer(in, {rows, cols}, {turn % 4 == 0 ? 3.0 : 0.1, turn % 3 == 0 ? 0.2 : 2, 0});
        op.out = group.buffer(out, {rows, cols});
        op.gamma = group.weight(kFloats[turn % 3], {cols}, {1, 0.3, 0});
        if (turn % 4 != 1) op.beta = group.weight(kFloats[turn / 3 % 3], {cols}, {0, 0.2, 0});
        op.rows = static_cast<uint32_t>(rows), op.cols = static_cast<uint32_t>(cols);
        op.out_scale = out != DType::e4m3 ? 1 : turn % 5 == 0 ? 0.5f / 448 : 4.0f / 448;
        group.step(op, kBatches[turn / 2 % 3]);
        ++turn;
      }
}

namespace {

void add_embeddings(Group& group, bool types) {
  uint32_t turn = 0;
  for (const DType type : kFloats)
    for (const DType ids : {DType::i32, DType::i64})
      for (const int64_t cols : {1, 8, 100, 512, 768}) {
        const int64_t tokens = turn % 2 == 0 ? 77 : 7, vocabulary = 211;
        plan::Embed op;
        op.ids = group.buffer(ids, {tokens}, {0, 0, vocabulary});
        op.out = group.buffer(type, {tokens, cols});
        op.token = group.weight(type, {vocabulary, cols}, {0, 0.02, 0});
        op.position = group.weight(type, {tokens, cols}, {0, 0.01, 0});
        if (types) op.types = group.buffer(ids, {tokens}, {0, 0, 2}), op.type = group.weight(type, {2, cols}, {0, 0.01, 0});
        group.step(op, kBatches[turn++ % 3]);
      }
}

}  // namespace

void add_embed(Group& group) { add_embeddings(group, false); }
void add_typed_embed(Group& group) { add_embeddings(group, true); }

void add_patch_embed(Group& group) {
  for (const DType pixels : kFloats)
    for (const DType weight : {DType::f16, DType::bf16, DType::f32, DType::e4m3})
      for (const bool class_token : {false, true}) {
        add_patches(group, pixels, weight, pixels, {3, 28, 42, 14}, 96, class_token);
        add_patches(group, pixels, weight, DType::f16, {3, 6, 4, 2}, 17, class_token);
      }
  for (const DType pixels : kFloats) {
    add_patches(group, pixels, pixels, pixels, {1, 21, 35, 7}, 65, true);
    add_patches(group, pixels, pixels, DType::bf16, {3, 32, 32, 32}, 64, true);
    add_patches(group, pixels, pixels, DType::f32, {3, 48, 32, 16}, 128, false);
  }
  for (const DType values : kFloats)
    for (const DType weight : {values, DType::e4m3, DType::f32}) {
      add_patches(group, values, weight, values, {3, 28, 42, 14}, 96, true, true);
      add_patches(group, values, weight, DType::f16, {3, 6, 4, 2}, 17, false, true);
      add_patches(group, values, weight, values, {1, 21, 35, 7}, 65, true, true);
    }
  add_patches(group, DType::f16, DType::f16, DType::f16, {3, 224, 224, 14}, 64, true);
  add_patches(group, DType::f16, DType::f16, DType::f16, {3, 224, 224, 14}, 64, true, true);
  add_patches(group, DType::f16, DType::e4m3, DType::f16, {3, 224, 224, 32}, 72, true, true);
  add_patches(group, DType::f16, DType::e4m3, DType::f16, {3, 224, 224, 32}, 72, true);
}

void add_pool(Group& group) {
  uint32_t turn = 0;
  for (const DType type : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
    for (const plan::PoolMode mode : {plan::PoolMode::kIndex, plan::PoolMode::kArgMax, plan::PoolMode::kFirstEqual})
      for (const int64_t cols : {1, 7, 16, 768})
        for (const DType ids : {DType::i32, DType::i64}) {
          if (mode == plan::PoolMode::kIndex && ids == DType::i32) continue;
          const int64_t rows = turn % 2 == 0 ? 77 : 5, tokens = turn % 3 == 0 ? rows : rows - 1;
          plan::Pool op;
          op.in = group.buffer(type, {rows, cols}, type == DType::e4m3 ? kCodes : Fill{});
          op.out = group.buffer(type, {cols});
          // Few ids: the largest comes often, and at times the wanted one never.
          if (mode != plan::PoolMode::kIndex) op.ids = group.buffer(ids, {tokens}, {0, 0, 12});
          op.rows = static_cast<uint32_t>(rows), op.cols = static_cast<uint32_t>(cols);
          op.mode = mode;
          op.index = mode == plan::PoolMode::kArgMax ? 0 : 3;
          group.step(op, kBatches[turn++ % 3]);
        }
}

void add_l2normalize(Group& group) {
  uint32_t turn = 0;
  for (const DType type : kFloats)
    for (const int64_t cols : {1, 6, 512, 768, 1000})
      for (const double deviation : {1.0, 1e-4}) {
        plan::L2Normalize op;
        op.in = group.buffer(type, {cols}, {0, deviation, 0});
        op.out = group.buffer(type, {cols});
        op.cols = static_cast<uint32_t>(cols);
        op.epsilon = deviation < 1 ? 0.01f : 1e-12f;
        group.step(op, kBatches[turn++ % 3]);
      }
}

void add_fake_quantize(Group& group) {
  uint32_t turn = 0;
  for (const DType out : kFloats)
    for (const DType in : {out, DType::e4m3})
      for (const int64_t cols : {1, 7, 255, 768})
        for (const float scale : {0.004f, 1 / 448.0f}) {
          plan::FakeQuantize op;
          op.in = group.buffer(in, {5, cols}, in == DType::e4m3 ? kCodes : Fill{});
          op.out = group.buffer(out, {5, cols});
          op.rows = 5, op.cols = static_cast<uint32_t>(cols);
          op.scale = scale;
          group.step(op, kBatches[turn++ % 3]);
        }
}

void add_pointwise(Group& group) {
  uint32_t turn = 0;
  for (const DType in : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
    for (const DType out : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
      for (const auto activation :
           {plan::Activation::kNone, plan::Activation::kQuickGelu, plan::Activation::kGeluErf, plan::Activation::kGeluTanh})
        for (const int64_t cols : {1, 7, 768}) {
          plan::Pointwise op;
          op.in = group.buffer(in, {5, cols}, in == DType::e4m3 ? kCodes : Fill{});
          op.out = group.buffer(out, {5, cols});
          if (out != DType::e4m3 && turn % 3 == 0) op.residual = group.buffer(out, {5, cols});
          if (turn % 4 != 0) op.bias = group.weight(turn % 2 == 0 ? DType::f16 : DType::f32, {cols});
          op.rows = 5, op.cols = static_cast<uint32_t>(cols);
          op.activation = activation;
          op.scale = in == DType::e4m3 ? 0.03f : 1;
          op.mul = turn % 5 == 0 ? 0.3535534f : 1;
          op.out_scale = out == DType::e4m3 ? 0.007f : 1;
          group.step(op, kBatches[turn++ % 3]);
        }
}

}  // namespace octet::conformance
