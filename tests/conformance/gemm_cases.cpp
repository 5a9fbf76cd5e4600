// GEMMs around the edges of tiles, with everything that an epilogue may do.
#include <cmath>

#include "group.h"

namespace octet::conformance {
namespace {

using plan::Activation;

constexpr Activation kActivations[] = {Activation::kNone, Activation::kQuickGelu, Activation::kGeluErf, Activation::kGeluTanh};
constexpr DType kTypes[] = {DType::e4m3, DType::f16, DType::bf16, DType::f32};

enum class Residual { kNone, kApart, kInPlace };

struct Shape {
  int64_t rows, n, k, batch;
};
// Tokens of the towers and their neighbours; n and k at powers of two, one off, and in between.
constexpr Shape kShapes[] = {{1, 64, 16, 1},    {1, 1, 1, 5},       {7, 63, 33, 3},     {7, 64, 128, 5},    {50, 65, 64, 5},
                             {50, 128, 48, 3},  {77, 127, 144, 1},  {77, 192, 80, 3},   {63, 128, 127, 1},  {64, 256, 128, 1},
                             {65, 129, 129, 1}, {127, 64, 256, 1},  {128, 320, 64, 1},  {129, 256, 272, 3}, {197, 96, 112, 1},
                             {257, 64, 160, 3}, {257, 48, 1040, 1}, {50, 256, 4096, 1}, {1, 512, 1024, 5},  {197, 768, 768, 1}};

struct Finish {
  DType out = DType::f16;
  Activation activation = Activation::kNone;
  Residual residual = Residual::kNone;
  bool bias = true, channels = false, ranges = false, clipped = false;
};

void add(Group& group, DType type, const Shape& s, const Finish& f) {
  const double deviation = type == DType::e4m3 ? kCodes.deviation : 1, spread = type == DType::e4m3 ? kCodes.deviation : 0.05;
  plan::Gemm op;
  op.rows = static_cast<uint32_t>(s.rows), op.n = static_cast<uint32_t>(s.n), op.k = static_cast<uint32_t>(s.k);
  op.a = group.buffer(type, {s.rows, s.k}, {0, deviation, 0});
  op.out = group.buffer(f.out, {s.rows, s.n});
  if (f.residual == Residual::kApart) op.residual = group.buffer(f.out, {s.rows, s.n});
  if (f.residual == Residual::kInPlace) op.residual = op.out;
  op.weight = group.weight(type, {s.n, s.k}, {0, spread, 0});
  if (f.bias) op.bias = group.weight(s.n % 2 == 0 ? DType::f16 : DType::f32, {s.n}, {0, 0.5, 0});
  if (f.channels) op.channel_scale = group.positive(s.n);
  op.activation = f.activation;
  // Sums of deviation 1; the codes of an e4m3 output reach 5 deviations, or a quarter of one if clipped.
  const auto alpha = static_cast<float>(1 / (deviation * spread * std::sqrt(static_cast<double>(s.k))));
  const auto scale = [&](float factor) { return f.out == DType::e4m3 ? (f.clipped ? 0.25f : 5.0f) / 448 * factor : 1.0f; };
  if (f.ranges && op.n >= 3) {
    const uint32_t third = op.n / 3;
    op.ranges = {{0, third, alpha, 0.125f, scale(0.125f)},
                 {third, 2 * third + 1, 2 * alpha, 0.5f, scale(1)},
                 {2 * third + 1, op.n, alpha, 1, scale(1)}};
  } else {
    op.ranges = {{0, op.n, alpha, 1, scale(1)}};
  }
  group.step(op, s.batch);
}

}  // namespace

void add_gemm(Group& group, DType type) {
  uint32_t turn = 0;
  for (const Shape& shape : kShapes) {
    Finish f;
    f.out = turn % 3 == 0 ? DType::f16 : kTypes[turn / 3 % 4];
    f.activation = kActivations[turn % 4];
    f.residual = f.out == DType::e4m3 ? Residual::kNone : static_cast<Residual>(turn % 3);
    f.bias = turn % 5 != 0, f.channels = turn % 4 == 1, f.ranges = turn % 2 == 0;
    add(group, type, shape, f);
    ++turn;
  }
  for (const DType out : kTypes)
    for (const Activation activation : kActivations)
      for (const Residual residual : {Residual::kNone, Residual::kApart}) {
        if (out == DType::e4m3 && residual != Residual::kNone) continue;
        add(group, type, {77, 128, 128, 1}, {.out = out, .activation = activation, .residual = residual, .ranges = true});
      }
  for (const Activation activation : kActivations)
    add(group, type, {50, 64, 64, 3}, {.out = DType::e4m3, .activation = activation, .channels = true, .clipped = true});
}

}  // namespace octet::conformance
