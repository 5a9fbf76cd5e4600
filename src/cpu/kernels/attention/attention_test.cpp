// Every attention row of this machine against f64 (attention_reference.h), and what must not matter: threads, batch, neighbours.
#include "cpu/kernels/attention/attention.h"

#include "cpu/kernels/attention/attention_reference.h"

namespace octet::cpu {
namespace {
using namespace kernel_test;
using enum DType;

struct Types {
  DType in, out;
  bool quantize_p;
};
constexpr Types kTypes[] = {{e4m3, e4m3, true}, {e4m3, f16, true},   {e4m3, bf16, false}, {f16, f16, false}, {f16, e4m3, false},
                            {f16, f16, true},   {bf16, bf16, false}, {bf16, e4m3, false}, {f32, f32, false}};

constexpr float kDeviation = 40;  // of the stored values: fills the e4m3 range, f16 and bf16 mantissas
AttentionCase make(Types t, int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim, bool causal) {
  const float score_scale = 2.5f / (kDeviation * kDeviation) / std::sqrt(static_cast<float>(head_dim));
  return {{t.in, t.out, tokens, heads, head_dim, causal, t.quantize_p},
          batch,
          score_scale,
          t.quantize_p ? 1.0f / 448 : 0.0f,
          0.013f,
          t.out == e4m3 ? 0.0021f : 1.0f};
}

// Relative error that a row may add to p when it is not quantized. The tile kernels cut it after 8 bits and round the rest (< 2^-7) to
// 8 bits: 2^-15; for f16 they drop the product of the two low parts: 2^-14. For bf16 they round it to bf16, as the dot products do.
double p_unit(const AttentionKernel& kernel, const AttentionProblem& p) {
  if ((kernel.isa & (kAmx | kAvx512Bf16)) == 0) return 0;
  return p.in == bf16 ? 0x1p-8 : 0x1p-14 + 0x1p-15;
}

void expect_right(const AttentionKernel& kernel, const AttentionData& data, const Expected& e) {
  const AttentionProblem& p = data.c().p;
  const std::vector<float> got = data.run(kernel).values();
  const double unit = p_unit(kernel, p);
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_TRUE(rounds_from(p.out, got[i], e.exact[i], e.bound[i] + unit * e.p_bound[i]))
        << kernel.name << " " << name_of(p.in) << "->" << name_of(p.out) << (p.quantize_p ? " quantized p" : "") << " tokens " << p.tokens
        << " head_dim " << p.head_dim << (p.causal ? " causal" : "") << " element " << i << ": got " << got[i] << ", exact " << e.exact[i]
        << ", bound " << e.bound[i] + unit * e.p_bound[i];
}

void expect_all_right(const AttentionData& data) {
  const Expected e = expected(data);
  for (const AttentionKernel& kernel : attention_kernels())
    if (usable(kernel.isa) && !kernel.accepts(data.c().p)) expect_right(kernel, data, e);
}

TEST(Attention, MatchesTheFormulaAtEveryTailAndHeadSize) {
  uint64_t seed = 1;
  for (Types t : kTypes)
    for (int64_t tokens : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 77})
      for (int64_t head_dim : {16, 24, 32, 64, 80, 96, 128}) {
        const bool causal = ++seed % 2 != 0;  // alternates along both sizes: 12 x 7 pairs, each type starting elsewhere
        expect_all_right({make(t, 1, tokens, 2, head_dim, causal), seed, kDeviation});
        if (tokens == 77 && head_dim == 64) expect_all_right({make(t, 1, tokens, 2, head_dim, !causal), seed, kDeviation});
      }
}

TEST(Attention, MatchesTheFormulaAtVisionSizes) {
  for (Types t : {kTypes[0], kTypes[3], kTypes[6]}) {
    expect_all_right({make(t, 1, 257, 2, 64, false), 5, kDeviation});
    expect_all_right({make(t, 1, 257, 1, 80, true), 6, kDeviation});
  }
  expect_all_right({make(kTypes[0], 1, 577, 1, 64, false), 7, kDeviation});
  expect_all_right({make(kTypes[3], 1, 577, 1, 64, true), 8, kDeviation});
}

TEST(Attention, HiddenKeysHaveNoWeight) {
  uint64_t seed = 40;
  for (Types t : kTypes)
    for (int64_t tokens : {1, 3, 17, 64, 77})
      for (const bool causal : {false, true}) {
        AttentionCase c = make(t, 3, tokens, 2, 32, causal);
        c.p.mask = Mask::kI64;
        for (int64_t i = 0; i < 3 * tokens; ++i) c.mask.push_back(i >= 2 * tokens ? 0 : (i * 5 + i / 3) % 3);  // the last item sees nothing
        expect_all_right({c, ++seed, kDeviation});
      }
}

// Keys behind a mask may hold anything finite: the item gives the same bits as with others there.
TEST(Attention, WhatAMaskHidesHasNoInfluence) {
  AttentionCase c = make(kTypes[3], 1, 40, 2, 64, false);
  c.p.mask = Mask::kI64;
  for (int64_t i = 0; i < 40; ++i) c.mask.push_back(i < 23);
  AttentionData plain(c, 3, kDeviation), other(c, 3, kDeviation);
  for (int64_t s = 23; s < 40; ++s)
    for (int64_t d = 0; d < 64; ++d) other.at(1, 0, s, 1, d) = 900, other.at(2, 0, s, 1, d) = -60000;
  for (const AttentionKernel& kernel : attention_kernels())
    if (usable(kernel.isa) && !kernel.accepts(c.p)) {
      EXPECT_EQ(plain.run(kernel).values(), other.run(kernel).values()) << kernel.name;
    }
}

TEST(Attention, NegativeAndZeroScoreScales) {
  for (Types t : {kTypes[0], kTypes[3], kTypes[6], kTypes[8]})
    for (float factor : {-1.0f, 0.0f, 1e-30f}) {
      AttentionCase c = make(t, 1, 33, 2, 24, true);
      c.score_scale *= factor;
      expect_all_right({c, 9, kDeviation});
    }
}

TEST(Attention, LargeAndEqualScores) {
  for (Types t : {kTypes[0], kTypes[3], kTypes[6], kTypes[8]}) {
    AttentionCase c = make(t, 1, 65, 2, 32, false);
    c.score_scale = 1;  // scores of 1e4: the largest takes all
    AttentionData large(c, 10, kDeviation);
    for (int64_t i = 0; i < 65; ++i)  // whose lead no rounding can take
      for (int64_t d = 0; d < 32; ++d) large.at(1, 0, i, 0, d) = i == 40 ? large.at(0, 0, 0, 0, d) * 4 : large.at(1, 0, i, 0, d) / 64;
    const std::vector<float> x = large.stored();
    for (const AttentionKernel& kernel : attention_kernels()) {
      if (!usable(kernel.isa) || kernel.accepts(c.p)) continue;
      const std::vector<float> got = large.run(kernel).values();
      for (float y : got) ASSERT_TRUE(std::isfinite(y)) << kernel.name;
      for (int64_t d = 0; d < 32; ++d) {  // query 0 sees key 40 alone
        const double v =
            x[static_cast<size_t>(large.index(2, 0, 40, 0, d))] * static_cast<double>(c.v_scale) * static_cast<double>(1 / c.out_scale);
        ASSERT_TRUE(rounds_from(t.out, got[static_cast<size_t>(d)], v, std::abs(v) * (0x1p-14 + 0x1p-15 + 16 * 0x1p-24))) << kernel.name;
      }
    }
    AttentionData equal(make(t, 1, 65, 2, 32, false), 11, kDeviation);
    for (int64_t i = 0; i < 65; ++i)
      for (int64_t d = 0; d < 64; ++d) equal.at(0, 0, i, 0, d) = 0;
    expect_all_right(equal);
  }
}

TEST(Attention, BitsDoNotDependOnThreads) {
  for (Types t : kTypes) {
    const AttentionData data(make(t, 2, 70, 3, 40, t.quantize_p), 12, kDeviation);
    for (const AttentionKernel& kernel : attention_kernels()) {
      if (!usable(kernel.isa) || kernel.accepts(data.c().p)) continue;
      const Guarded one = data.run(kernel);
      for (int threads : {2, 3, 7, 64}) ASSERT_TRUE(one == data.run(kernel, threads)) << kernel.name << " " << threads;
    }
  }
}

TEST(Attention, BitsDoNotDependOnThePlaceInTheBatch) {
  for (Types t : kTypes) {
    AttentionData all(make(t, 3, 50, 2, 32, false), 13, kDeviation);
    for (const AttentionKernel& kernel : attention_kernels()) {
      if (!usable(kernel.isa) || kernel.accepts(all.c().p)) continue;
      const Guarded together = all.run(kernel);
      for (int64_t b = 0; b < 3; ++b) {
        AttentionData one(make(t, 1, 50, 2, 32, false), 13, kDeviation);
        for (int part = 0; part < 3; ++part)
          for (int64_t s = 0; s < 50; ++s)
            for (int64_t d = 0; d < 64; ++d) one.at(part, 0, s, 0, d) = all.at(part, b, s, 0, d);
        const Guarded alone = one.run(kernel);
        ASSERT_EQ(0, std::memcmp(alone.data(), together.data() + static_cast<size_t>(b) * alone.bytes(), alone.bytes())) << kernel.name;
      }
    }
  }
}

TEST(Attention, NaNStaysInItsRowOrHead) {
  for (Types t : kTypes)
    for (int part = 0; part < 3; ++part) {
      AttentionData data(make(t, 2, 40, 3, 16, false), 14, kDeviation);
      data.at(part, 1, 7, 2, 5) = NAN;
      for (const AttentionKernel& kernel : attention_kernels()) {
        if (!usable(kernel.isa) || kernel.accepts(data.c().p)) continue;
        const std::vector<float> y = data.run(kernel).values();
        for (size_t i = 0; i < y.size(); ++i) {
          const size_t d = i % 16, h = i / 16 % 3, s = i / 48 % 40, b = i / 48 / 40;
          const bool expect = b == 1 && h == 2 && (part == 0 ? s == 7 : part == 1 || d == 5);
          ASSERT_EQ(expect, std::isnan(y[i])) << kernel.name << " part " << part << " at " << b << " " << s << " " << h << " " << d;
        }
      }
    }
}

TEST(Attention, InfinityStaysInItsHead) {
  for (Types t : {kTypes[3], kTypes[6], kTypes[8]}) {
    AttentionData data(make(t, 1, 40, 2, 16, false), 15, kDeviation);
    data.at(2, 0, 7, 1, 5) = INFINITY;  // infinity, or NaN where a plane of its weight is 0
    for (const AttentionKernel& kernel : attention_kernels()) {
      if (!usable(kernel.isa) || kernel.accepts(data.c().p)) continue;
      const std::vector<float> y = data.run(kernel).values();
      for (size_t i = 0; i < y.size(); ++i) ASSERT_NE(i / 16 % 2 == 1 && i % 16 == 5, std::isfinite(y[i])) << kernel.name << " " << i;
    }
  }
}

TEST(Attention, TheLastRowAcceptsWhatOthersRefuse) {
  for (Types t : kTypes) EXPECT_FALSE(attention_kernels().back().accepts(make(t, 1, 3000, 1, 100, false).p));
  for (const AttentionKernel& kernel : attention_kernels()) {
    EXPECT_THAT(kernel.accepts({i32, f16, 4, 1, 16, false, false}).reason, testing::HasSubstr("i32")) << kernel.name;
    EXPECT_TRUE(kernel.accepts({f16, f16, 0, 1, 16, false, false})) << kernel.name;
  }
}

}  // namespace
}  // namespace octet::cpu
