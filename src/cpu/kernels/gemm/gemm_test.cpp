// Every row this machine can execute, against the f64 reference and its computed bound; bits independent of threads and rows.
#include <gtest/gtest.h>

#include "cpu/kernels/gemm/gemm_reference.h"

namespace octet::cpu {
namespace {

constexpr DType kTypes[] = {DType::e4m3, DType::f16, DType::bf16, DType::f32};
constexpr Act kActs[] = {Act::kNone, Act::kQuickGelu, Act::kGeluErf, Act::kGeluTanh};

// The output lies between the roundings of the ends of the bound: equal to the correctly rounded value unless a midpoint is inside.
void expect_close(const GemmKernel& row, const GemmData& d, const std::vector<uint8_t>& out) {
  const DType type = d.c.p.out;
  int failures = 0;
  for (int64_t m = 0; m < d.c.m && failures < 3; ++m)
    for (int64_t n = 0; n < d.c.p.n && failures < 3; ++n) {
      const Expected e = expected(d, m, n);
      uint32_t got = 0;
      std::memcpy(&got, out.data() + static_cast<size_t>(m * d.c.p.n + n) * size_of(type), size_of(type));
      const double value = element(type, out.data(), m * d.c.p.n + n);
      uint8_t ends[8];
      put(type, ends, 0, e.value - e.bound);
      put(type, ends, 1, e.value + e.bound);
      const bool inside = element(type, ends, 0) <= value && value <= element(type, ends, 1);
      const bool sharp = encoded(type, e.value - e.bound) == encoded(type, e.value + e.bound);
      if (inside && (!sharp || got == encoded(type, e.value))) continue;
      ++failures;
      ADD_FAILURE() << row.name << " " << d.c.text() << " [" << m << "," << n << "] is " << value << ", expected " << e.value << " +- "
                    << e.bound;
    }
}

void check(const GemmCase& c) {
  GemmData d(c);
  d.decode();
  for (const GemmKernel& row : usable_rows(c.p)) {
    const std::vector<uint8_t> out = run_row(row, d);
    expect_close(row, d, out);
    if (c.p.residual) {
      EXPECT_EQ(run_row(row, d, 2, 0, -1, true), out) << row.name << " in place " << c.text();
    }
  }
}

TEST(Gemm, ShapesAroundPowersOfTwo) {
  uint32_t seed = 1;
  for (const DType type : kTypes)
    for (const int64_t m : {1, 2, 15, 16, 17, 31, 33, 65})
      for (const int64_t n : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65})
        for (const int64_t k : {1, 2, 31, 33, 63, 64, 65, 129})
          if ((m * 7 + n * 3 + k + seed) % 5 == 0) check({{type, type, kTypes[seed % 4], n, k, Act::kNone, false}, m, ++seed});
          else ++seed;
}

TEST(Gemm, ActivationsOutputsResiduals) {
  uint32_t seed = 1000;
  for (const DType type : kTypes)
    for (const DType out : kTypes)
      for (const Act act : kActs)
        for (const bool residual : {false, true})
          if (!residual || out != DType::e4m3) check({{type, type, out, 47, 70, act, residual}, 37, ++seed});
}

// Several slices of k, panels of columns and chunks of rows of every blocking.
TEST(Gemm, LargerThanEveryBlock) {
  check({{DType::e4m3, DType::e4m3, DType::e4m3, 80, 1100, Act::kGeluErf, false}, 49, 2001});
  check({{DType::e4m3, DType::e4m3, DType::f16, 40, 4200, Act::kNone, true}, 70, 2002});
  check({{DType::e4m3, DType::e4m3, DType::f32, 1100, 100, Act::kNone, false}, 40, 2003});
  check({{DType::f16, DType::f16, DType::f16, 600, 530, Act::kQuickGelu, true}, 35, 2004});
  check({{DType::f16, DType::f16, DType::f32, 33, 2500, Act::kNone, false}, 40, 2005});
  check({{DType::bf16, DType::bf16, DType::bf16, 48, 2600, Act::kGeluTanh, true}, 40, 2006});
  check({{DType::e4m3, DType::e4m3, DType::e4m3, 17, 2200, Act::kNone, false}, 600, 2007});
  check({{DType::f32, DType::f32, DType::f32, 300, 700, Act::kNone, false}, 40, 2008});
  check({{DType::e4m3, DType::e4m3, DType::f32, 550, 1000, Act::kNone, false}, 300, 2009});
  check({{DType::e4m3, DType::e4m3, DType::e4m3, 1030, 1000, Act::kQuickGelu, false}, 40, 2010});
}

TEST(Gemm, BitsDoNotDependOnThreadsOrRows) {
  uint32_t seed = 3000;
  for (const DType type : kTypes)
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{77, 100, 140}, {33, 70, 2200}, {5, 300, 64}}) {
      const GemmData d({{type, type, DType::f32, n, k, Act::kGeluErf, false}, m, ++seed});
      for (const GemmKernel& row : usable_rows(d.c.p)) {
        const std::vector<uint8_t> out = run_row(row, d);
        for (const int threads : {2, 3, 7}) EXPECT_TRUE(run_row(row, d, threads) == out) << row.name << " " << threads << " threads";
        for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 1}, {m - 1, 1}, {2, 3}, {1, m - 1}}) {
          const auto begin = out.begin() + first * n * 4;
          EXPECT_TRUE(run_row(row, d, 1, first, count) == std::vector<uint8_t>(begin, begin + count * n * 4))
              << row.name << " rows " << first << "+" << count;
        }
      }
    }
}

// Each pair of codes alone: the product must be exact, and NaN when one is NaN.
TEST(Gemm, AllPairsOfE4m3Codes) {
  GemmData d({{DType::e4m3, DType::e4m3, DType::f32, 256, 1, Act::kNone, false}, 256, 1});
  for (int i = 0; i < 256; ++i) {
    d.a.data()[i] = d.w.data()[i] = static_cast<uint8_t>(i);
    d.alpha[static_cast<size_t>(i)] = d.mul[static_cast<size_t>(i)] = 1;
    d.bias[static_cast<size_t>(i)] = 0;
  }
  for (const GemmKernel& row : usable_rows(d.c.p)) {
    const std::vector<uint8_t> out = run_row(row, d);
    for (int i = 0; i < 65536; ++i) {
      const float want = decode_e4m3(static_cast<uint8_t>(i / 256)) * decode_e4m3(static_cast<uint8_t>(i % 256));
      const double got = element(DType::f32, out.data(), i);
      ASSERT_TRUE(std::isnan(want) ? std::isnan(got) : got == want) << row.name << " codes " << i / 256 << " " << i % 256;
    }
  }
}

// Each code times 1, rounded back to E4M3: the same code, NaN and both zeros' values included.
TEST(Gemm, E4m3CodesSurviveTheRoundTrip) {
  GemmData d({{DType::e4m3, DType::e4m3, DType::e4m3, 1, 1, Act::kNone, false}, 256, 1});
  for (int i = 0; i < 256; ++i) d.a.data()[i] = static_cast<uint8_t>(i);
  d.w.data()[0] = encode_e4m3(1.f);
  d.alpha[0] = d.mul[0] = d.inv[0] = 1, d.bias[0] = 0;
  for (const GemmKernel& row : usable_rows(d.c.p)) {
    const std::vector<uint8_t> out = run_row(row, d);
    for (int i = 0; i < 256; ++i) EXPECT_EQ(out[static_cast<size_t>(i)] & 0x7f, i & 0x7f) << row.name << " " << i;
    for (int i = 0; i < 256; ++i)
      EXPECT_TRUE((i & 0x7f) == 0 || (i & 0x7f) == 0x7f || out[static_cast<size_t>(i)] == i) << row.name << " " << i;  // signs of others
  }
}

TEST(Gemm, EveryFiniteF16IsMultipliedExactly) {
  GemmData d({{DType::f16, DType::f16, DType::f32, 2, 1, Act::kNone, false}, 65536, 1});
  for (int i = 0; i < 65536; ++i) put(DType::f16, d.a.data(), i, decode_f16(static_cast<uint16_t>(i)));
  const uint16_t weights[] = {0x3c01, 0x83ff};  // 1 + 2^-10, the largest negative subnormal: both with all low bits in use
  std::memcpy(d.w.data(), weights, sizeof(weights));
  for (size_t n = 0; n < 2; ++n) d.alpha[n] = d.mul[n] = 1, d.bias[n] = 0;
  for (const GemmKernel& row : usable_rows(d.c.p)) {
    const std::vector<uint8_t> out = run_row(row, d);
    for (int i = 0; i < 65536; ++i)
      for (int n = 0; n < 2; ++n) {
        const double x = decode_f16(static_cast<uint16_t>(i)), got = element(DType::f32, out.data(), 2 * i + n);
        const bool right = std::isfinite(x) ? got == static_cast<float>(x * decode_f16(weights[n]))
                           : std::isnan(x)  ? std::isnan(got)
                                            : !std::isfinite(got);
        ASSERT_TRUE(right) << row.name << " " << x << " * " << decode_f16(weights[n]) << " gives " << got;
      }
  }
}

TEST(Gemm, NaNStaysInItsRowAndColumn) {
  for (const DType type : {DType::e4m3, DType::f16, DType::bf16})
    for (const DType out_type : kTypes) {
      GemmData d({{type, type, out_type, 40, 70, Act::kGeluErf, false}, 40, 4000});
      put(type, d.a.data(), 3 * 70 + 69, NAN);
      put(type, d.w.data(), 37 * 70, NAN);
      for (const GemmKernel& row : usable_rows(d.c.p)) {
        const std::vector<uint8_t> out = run_row(row, d);
        for (int64_t m = 0; m < 40; ++m)
          for (int64_t n = 0; n < 40; ++n)
            ASSERT_EQ(std::isnan(element(out_type, out.data(), m * 40 + n)), m == 3 || n == 37) << row.name << " " << m << " " << n;
      }
    }
}

// A tiled output holds the plain one's values, and a tiled a gives the plain one's result up to the order of its sums.
TEST(Gemm, TiledFormsHoldTheSameValues) {
  uint32_t seed = 6000;
  for (const DType type : {DType::e4m3, DType::bf16})
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 40, 32}, {37, 47, 70}, {70, 300, 2200}, {33, 64, 4200}})
      for (const Act act : kActs) {
        const GemmData d({{type, type, type, n, k, act, false}, m, ++seed});
        GemmProblem tiled = d.c.p;
        tiled.tiled_out = true;
        for (const GemmKernel& row : usable_rows(tiled)) {
          const std::vector<uint8_t> plain = run_row(row, d), out = run_tiled(row, d, tiled);
          std::vector<uint8_t> untiled(plain.size());
          untile_rows(type, out.data(), m, n, untiled.data());
          EXPECT_TRUE(untiled == plain) << row.name << " " << d.c.text();
        }
        tiled = d.c.p;
        tiled.tiled_a = true;
        tiled.out = DType::f32;
        GemmData exact({tiled, m, seed});
        exact.decode();
        for (const GemmKernel& row : usable_rows(tiled))
          for (const int threads : {1, 3}) expect_close(row, exact, run_tiled(row, exact, tiled, threads));
      }
}
TEST(Gemm, OnlyTileRowsTakeTheTiledForm) {
  for (const GemmKernel& row : gemm_kernels()) {
    GemmProblem p{DType::e4m3, DType::e4m3, DType::e4m3, 32, 32, Act::kNone, false};
    p.tiled_a = true;
    if ((row.isa & kAmx) == 0) {
      EXPECT_TRUE(row.accepts(p)) << row.name;
    }
    p.tiled_a = false, p.tiled_out = true, p.out = DType::f16;
    EXPECT_TRUE(row.accepts(p)) << row.name;
  }
}

// Codes of w widened before they are packed: the same bits as codes widened on the way.
TEST(Gemm, WidenedWeightsGiveTheSameBits) {
  uint32_t seed = 7000;
  for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 40, 32}, {37, 47, 70}, {70, 300, 2200}, {33, 1100, 100}})
    for (const DType out : {DType::e4m3, DType::f16}) {
      const GemmCase plain{{DType::e4m3, DType::e4m3, out, n, k, Act::kQuickGelu, false}, m, ++seed};
      const GemmData codes(plain);
      GemmCase wide = plain;
      wide.p.w = DType::bf16;
      GemmData widened(wide);
      widened.alpha = codes.alpha, widened.bias = codes.bias, widened.mul = codes.mul, widened.inv = codes.inv;
      std::memcpy(widened.a.data(), codes.a.data(), GemmData::bytes(m, k, DType::e4m3));
      for (int64_t i = 0; i < n * k; ++i) put(DType::bf16, widened.w.data(), i, element(DType::e4m3, codes.w.data(), i));
      for (const GemmKernel& row : usable_rows(wide.p)) {
        if (row.isa == kPortable) continue;  // takes every pair of types, and has no sibling to compare with
        const auto sibling =
            std::ranges::find_if(gemm_kernels(), [&](const GemmKernel& k) { return k.isa == row.isa && !k.accepts(plain.p); });
        ASSERT_NE(sibling, gemm_kernels().end());
        for (const int threads : {1, 3})
          EXPECT_TRUE(run_row(row, widened, threads) == run_row(*sibling, codes, threads)) << row.name << " " << plain.text();
      }
    }
}

TEST(Gemm, EmptyProblems) {
  for (const DType type : kTypes) {
    check({{type, type, DType::f16, 5, 0, Act::kNone, false}, 3, 5000});
    const GemmData none({{type, type, DType::f16, 5, 8, Act::kNone, false}, 0, 5001});
    for (const GemmKernel& row : usable_rows(none.c.p)) EXPECT_TRUE(run_row(row, none, 2).empty());
  }
}

TEST(Gemm, TableEndsWithARowForEverything) {
  const GemmKernel& last = gemm_kernels().back();
  EXPECT_EQ(last.isa, uint32_t{kPortable});
  for (const DType a : kTypes)
    for (const DType w : kTypes) EXPECT_FALSE(last.accepts({a, w, DType::f32, 1, 1, Act::kNone, false}));
}

}  // namespace
}  // namespace octet::cpu
