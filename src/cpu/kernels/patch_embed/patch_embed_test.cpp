// Every patch-embedding row of this machine against f64 loops over the picture.
#include "cpu/kernels/patch_embed/patch_embed.h"

#include "cpu/kernels/kernel_test.h"

namespace octet::cpu {
namespace {
using namespace kernel_test;

struct PatchRun {
  PatchRun(const PatchEmbedProblem& p, int64_t batch, float scale = 1)
      : p(p),
        batch(batch),
        scale(scale),
        grid(p.height / p.patch * (p.width / p.patch)),
        tokens(grid + (p.class_token ? 1 : 0)),
        k(p.channels * p.patch * p.patch),
        pixels(p.pixels, batch * p.channels * p.height * p.width),
        values(p.pixels == DType::u8 ? p.table : p.pixels, batch * p.channels * p.height * p.width),
        table(p.table, normal_values(p.channels * kPixelValues, 1, 6)),
        w(p.w, normal_values(p.cols * k, 0.05f / scale, 2)),
        bias(normal_values(p.cols, 1, 3)),
        first(normal_values(p.cols, 1, 4)),
        position(normal_values(tokens * p.cols, 1, 5)) {
    if (p.pixels == DType::u8) draw_bytes();
    else pixels = values = Guarded(p.pixels, normal_values(pixels.count(), 1, 1));
  }

  Guarded operator()(const PatchEmbedKernel& kernel, int threads = 1) const {
    Scratch packed(kernel.packed_bytes(p)), scratch(kernel.scratch_bytes(p));
    kernel.pack(p, w.data(), packed.data());
    const Guarded operands(patch_operand(p), table.values());
    Guarded y(p.out, batch * tokens * p.cols);
    for (int t = 0; t < threads; ++t)
      kernel.run(p,
                 {pixels.data(), packed.data(), bias.data(), p.class_token ? first.data() : nullptr, position.data(), operands.data(),
                  scale, y.data(), batch, scratch.data()},
                 t, threads);
    EXPECT_TRUE(y.guards_intact());
    return y;
  }

  // Every byte [batch, H, W, C], and what the table makes of it.
  void draw_bytes() {
    std::mt19937 random(1);
    std::vector<float> looked_up(static_cast<size_t>(values.count()));
    const std::vector<float> entries = table.values();
    for (int64_t i = 0; i < pixels.count(); ++i) {
      const auto byte = static_cast<uint8_t>(random());
      const int64_t c = i % p.channels, pixel = i / p.channels % (p.height * p.width), b = i / p.channels / (p.height * p.width);
      pixels.data()[i] = byte;
      looked_up[static_cast<size_t>((b * p.channels + c) * p.height * p.width + pixel)] =
          entries[static_cast<size_t>(c * kPixelValues + byte)];
    }
    values = Guarded(values.dtype(), looked_up);
  }

  PatchEmbedProblem p;
  int64_t batch;
  float scale;
  int64_t grid, tokens, k;
  Guarded pixels, values, table, w;  // values: of the pixels, [batch, C, H, W]
  std::vector<float> bias, first, position;
};

void expect_right(const PatchRun& run, const Guarded& y, std::string_view kernel) {
  const PatchEmbedProblem& p = run.p;
  const std::vector<float> pixels = run.values.values(), w = run.w.values(), got = y.values();
  const int64_t class_rows = p.class_token ? 1 : 0, across = p.width / p.patch;
  for (int64_t i = 0; i < y.count(); ++i) {
    const int64_t n = i % p.cols, s = i / p.cols % run.tokens, b = i / p.cols / run.tokens;
    const double position = run.position[static_cast<size_t>(s * p.cols + n)];
    double exact = 0, magnitude = 0, terms = 2;
    if (s < class_rows) {
      exact = run.first[static_cast<size_t>(n)];
      magnitude = std::abs(exact);
    } else {
      for (int64_t j = 0; j < run.k; ++j) {
        const int64_t c = j / (p.patch * p.patch), dy = j / p.patch % p.patch, dx = j % p.patch;
        const int64_t row = (s - class_rows) / across * p.patch + dy, col = (s - class_rows) % across * p.patch + dx;
        const double product = static_cast<double>(pixels[static_cast<size_t>(((b * p.channels + c) * p.height + row) * p.width + col)]) *
                               w[static_cast<size_t>(n * run.k + j)] * run.scale;
        exact += product;
        magnitude += std::abs(product);
      }
      exact += run.bias[static_cast<size_t>(n)];
      magnitude += std::abs(run.bias[static_cast<size_t>(n)]);
      terms = static_cast<double>(run.k) + 8;
    }
    exact += position;
    magnitude += std::abs(position);
    // gemm.h's bound on the f32 sum.
    ASSERT_TRUE(rounds_from(p.out, got[static_cast<size_t>(i)], exact, terms * 0x1p-24 * magnitude))
        << kernel << " " << name_of(p.pixels) << " " << name_of(p.w) << " " << name_of(p.out) << " b " << b << " s " << s << " n " << n
        << ": got " << got[static_cast<size_t>(i)] << ", exact " << exact;
  }
}

TEST(PatchEmbed, MatchesTheFormula) {
  using enum DType;
  for (const PatchEmbedKernel& kernel : patch_embed_kernels()) {
    if (!usable(kernel.isa)) continue;
    for (PatchEmbedProblem p : {PatchEmbedProblem{f16, f16, f16, 3, 28, 42, 14, 40, true},
                                {f16, f16, bf16, 1, 4, 4, 1, 17, false},
                                {f16, e4m3, f16, 3, 32, 32, 16, 33, true},
                                {f32, f16, f32, 2, 12, 20, 4, 16, true},
                                {f32, f32, f16, 3, 9, 9, 3, 5, false},
                                {f16, f32, f32, 3, 16, 8, 8, 64, true},
                                {f16, f16, f32, 3, 30, 29, 7, 24, true},
                                {f16, f16, f16, 3, 4, 70, 2, 48, true},
                                {bf16, bf16, bf16, 3, 28, 42, 14, 40, true},
                                {bf16, e4m3, f32, 3, 9, 9, 3, 5, false},
                                {u8, f16, f16, 3, 28, 42, 14, 40, true, f16},
                                {u8, e4m3, f16, 3, 32, 32, 16, 33, true, f16},
                                {u8, bf16, bf16, 3, 9, 9, 3, 5, false, bf16},
                                {u8, f32, f32, 1, 12, 20, 4, 16, true, f32},
                                {u8, f32, f16, 3, 30, 29, 7, 24, true, f16}}) {
      if (kernel.accepts(p)) continue;
      const PatchRun run(p, 2, p.w == e4m3 ? 0.01f : 1.0f);
      expect_right(run, run(kernel), kernel.name);
    }
  }
}

// The same pictures as floats and as bytes, one under the other.
TEST(PatchEmbed, BytesGiveTheBitsOfTheirValues) {
  using enum DType;
  for (const PatchEmbedKernel& kernel : patch_embed_kernels()) {
    if (!usable(kernel.isa)) continue;
    for (const DType type : {f16, bf16, f32})
      for (const PatchEmbedProblem& p : {PatchEmbedProblem{u8, type, type, 3, 28, 42, 14, 40, true, type},
                                         {u8, e4m3, type, 3, 48, 48, 4, 33, false, type},
                                         {u8, f32, f16, 5, 10, 15, 5, 17, true, type}}) {
        if (kernel.accepts(p)) continue;
        const PatchRun bytes(p, 3);
        PatchRun floats = bytes;
        floats.p.pixels = type, floats.pixels = bytes.values;
        EXPECT_TRUE(bytes(kernel) == floats(kernel)) << kernel.name << " " << name_of(type) << " " << name_of(p.w);
        EXPECT_TRUE(bytes(kernel, 3) == floats(kernel)) << kernel.name << " on 3 threads";
      }
  }
}

TEST(PatchEmbed, BitsDoNotDependOnThreads) {
  for (const PatchEmbedKernel& kernel : patch_embed_kernels()) {
    if (!usable(kernel.isa)) continue;
    const PatchRun run({DType::f16, DType::f16, DType::f16, 3, 48, 48, 4, 40, true}, 3);
    const Guarded one = run(kernel);
    for (int threads : {2, 3, 7, 64}) EXPECT_TRUE(one == run(kernel, threads)) << kernel.name << " " << threads;
  }
}

TEST(PatchEmbed, TheLastRowAcceptsAndOthersSayWhy) {
  const PatchEmbedProblem f32_pixels{DType::f32, DType::f16, DType::f16, 3, 8, 8, 4, 8, true};
  EXPECT_FALSE(patch_embed_kernels().back().accepts(f32_pixels));
  EXPECT_THAT(patch_embed_kernels().front().accepts(f32_pixels).reason, testing::HasSubstr("it multiplies bf16 pixels by bf16 or e4m3"));
  for (const PatchEmbedKernel& kernel : patch_embed_kernels())
    EXPECT_TRUE(kernel.accepts({DType::f16, DType::f16, DType::f16, 3, 8, 8, 16, 8, true})) << kernel.name;
}

}  // namespace
}  // namespace octet::cpu
