// Every LayerNorm row of this machine against f64, within the bound of norm.h.
#include "cpu/kernels/norm/norm.h"

#include "cpu/kernels/kernel_test.h"

namespace octet::cpu {
namespace {
using namespace kernel_test;

struct Case {
  DType in, out;
  int64_t rows, cols;
  float offset, deviation, epsilon, out_scale;
};

struct NormRun {
  explicit NormRun(const Case& c, uint64_t seed = 7)
      : c(c),
        values(normal_values(c.rows * c.cols, c.deviation, seed)),
        gamma(normal_values(c.cols, 1, seed + 1)),
        beta(normal_values(c.cols, 0.5f, seed + 2)) {
    for (float& x : values) x += c.offset;
  }
  Guarded operator()(const NormKernel& kernel, int threads = 1) const {
    const Guarded x(c.in, values);
    Guarded y(c.out, c.rows * c.cols);
    const NormArgs args{x.data(), y.data(), gamma.data(), beta.data(), c.epsilon, 1 / c.out_scale, c.rows};
    for (int t = 0; t < threads; ++t) kernel.run({c.in, c.out, c.cols}, args, t, threads);
    EXPECT_TRUE(y.guards_intact());
    return y;
  }
  Case c;
  std::vector<float> values, gamma, beta;
};

void expect_right(const NormRun& run, const Guarded& y, const std::string& what) {
  const Case& c = run.c;
  const std::vector<float> x = Guarded(c.in, run.values).values(), got = y.values();
  const double inverse = 1 / c.out_scale, unit = 0x1p-24;
  for (int64_t r = 0; r < c.rows; ++r) {
    const float* row = x.data() + r * c.cols;
    double mean = 0, variance = 0, largest = 0, most = 0;
    for (int64_t i = 0; i < c.cols; ++i) mean += row[i] / static_cast<double>(c.cols);
    for (int64_t i = 0; i < c.cols; ++i) variance += (row[i] - mean) * (row[i] - mean) / static_cast<double>(c.cols);
    const double rstd = 1 / std::sqrt(variance + c.epsilon);
    for (int64_t i = 0; i < c.cols; ++i) {
      const auto n = static_cast<size_t>(i);
      largest = std::max(largest, std::abs((row[i] - mean) * rstd * run.gamma[n]) + std::abs(run.beta[n]));
      most = std::max(most, std::abs(rstd * row[i] * run.gamma[n]));
    }
    // norm.h's bound, and what is left of the rounding of the mean after its correction (second order).
    const double share = (static_cast<double>(c.cols) / 16 + 8) * unit, bound = share * largest + 4 * unit * share * most;
    for (int64_t i = 0; i < c.cols; ++i) {
      const auto n = static_cast<size_t>(i);
      const double exact = ((row[i] - mean) * rstd * run.gamma[n] + run.beta[n]) * inverse;
      ASSERT_TRUE(rounds_from(c.out, got[static_cast<size_t>(r * c.cols + i)], exact, bound * inverse))
          << what << " row " << r << " col " << i << ": got " << got[static_cast<size_t>(r * c.cols + i)] << ", exact " << exact;
    }
  }
}

std::string text(const NormKernel& k, const Case& c) {
  return fmt::format("{} {}->{} {}x{} offset {} deviation {}", k.name, name_of(c.in), name_of(c.out), c.rows, c.cols, c.offset,
                     c.deviation);
}

TEST(Norm, MatchesTheFormula) {
  for (const NormKernel& kernel : norm_kernels()) {
    if (!usable(kernel.isa)) continue;
    for (DType in : {DType::f16, DType::bf16, DType::f32})
      for (DType out : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
        for (int64_t cols : {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 768, 1024, 1025}) {
          const Case c{in, out, 3, cols, 0.1f, 2.0f, 1e-5f, out == DType::e4m3 ? 0.0123f : 1.0f};
          ASSERT_FALSE(kernel.accepts({in, out, cols}));
          const NormRun run(c);
          expect_right(run, run(kernel), text(kernel, c));
        }
  }
}

TEST(Norm, KeepsAccuracyFarFromZeroAndAtExtremes) {
  for (const NormKernel& kernel : norm_kernels()) {
    if (!usable(kernel.isa)) continue;
    for (Case c : {Case{DType::f32, DType::f32, 4, 1000, 1e4f, 1.0f, 1e-5f, 1}, Case{DType::f32, DType::f32, 4, 1024, 1e6f, 1.0f, 1e-5f, 1},
                   Case{DType::f16, DType::f32, 4, 768, 6e4f, 500.0f, 1e-5f, 1}, Case{DType::f32, DType::f32, 4, 768, 0, 1e-6f, 1e-5f, 1},
                   Case{DType::f32, DType::e4m3, 4, 768, 3, 0, 1e-5f, 0.01f}, Case{DType::f16, DType::e4m3, 4, 768, 0, 1, 1e-5f, 1e-4f}}) {
      const NormRun run(c);
      expect_right(run, run(kernel), text(kernel, c));
    }
  }
}

TEST(Norm, BitsDoNotDependOnThreadsOrPosition) {
  for (const NormKernel& kernel : norm_kernels()) {
    if (!usable(kernel.isa)) continue;
    const NormRun all({DType::f16, DType::e4m3, 13, 200, 0, 1, 1e-5f, 0.02f});
    const Guarded y = all(kernel);
    for (int threads : {2, 3, 5, 16}) EXPECT_TRUE(y == all(kernel, threads)) << kernel.name << " " << threads;
    NormRun one({DType::f16, DType::e4m3, 1, 200, 0, 1, 1e-5f, 0.02f});
    one.gamma = all.gamma;
    one.beta = all.beta;
    one.values.assign(all.values.begin() + 11 * 200, all.values.begin() + 12 * 200);
    const Guarded alone = one(kernel);
    EXPECT_EQ(0, std::memcmp(alone.data(), y.data() + 11 * 200, 200)) << kernel.name;
  }
}

TEST(Norm, MayRunInPlace) {
  for (const NormKernel& kernel : norm_kernels()) {
    if (!usable(kernel.isa)) continue;
    const NormRun run({DType::f16, DType::f16, 5, 77, 0, 1, 1e-5f, 1});
    Guarded x(DType::f16, run.values);
    kernel.run({DType::f16, DType::f16, 77}, {x.data(), x.data(), run.gamma.data(), run.beta.data(), 1e-5f, 1, 5}, 0, 1);
    EXPECT_TRUE(x == run(kernel)) << kernel.name;
  }
}

TEST(Norm, NaNStaysInItsRow) {
  for (const NormKernel& kernel : norm_kernels()) {
    if (!usable(kernel.isa)) continue;
    NormRun run({DType::f16, DType::e4m3, 3, 40, 0, 1, 1e-5f, 0.02f});
    run.values[40 + 39] = std::nanf("");
    const std::vector<float> y = run(kernel).values();
    for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(i / 40 == 1, std::isnan(y[i])) << kernel.name << " " << i;
  }
}

TEST(Norm, RefusesWithAReason) {
  for (const NormKernel& kernel : norm_kernels()) {
    EXPECT_THAT(kernel.accepts({DType::e4m3, DType::e4m3, 8}).reason, testing::HasSubstr("e4m3")) << kernel.name;
    EXPECT_TRUE(kernel.accepts({DType::f16, DType::e4m3, 0}));
  }
}

}  // namespace
}  // namespace octet::cpu
