// Every pointwise row of this machine: within the header's bound of the exact value, with every combination of what may follow; codes
// alone exactly as QuantizeLinear makes them.
#include "cpu/kernels/pointwise/pointwise.h"

#include "cpu/kernels/kernel_test.h"

namespace octet::cpu {
namespace {
using namespace kernel_test;

constexpr double kHalfUlp = 0x1p-24;

double activated(Act act, double x) {
  if (act == Act::kQuickGelu) return x / (1 + std::exp(-1.702 * x));
  if (act == Act::kGeluErf) return 0.5 * x * std::erfc(-x * M_SQRT1_2);
  if (act == Act::kGeluTanh) return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  return x;
}

struct PointwiseRun {
  PointwiseRun(DType in, DType out, int64_t cols, Act act, bool bias, bool residual)
      : problem{in, out, cols, act},
        x(in, normal_values(kRows * cols, in == DType::e4m3 ? 60.0f : 2.0f, 5)),
        residual(out, normal_values(kRows * cols, 2, 6)),
        bias(normal_values(cols, 1, 7)),
        has_bias(bias),
        has_residual(residual && out != DType::e4m3),
        scale(in == DType::e4m3 ? 0.03f : 1.0f),
        out_scale(out == DType::e4m3 ? 0.007f : 1.0f) {}
  Guarded operator()(const PointwiseKernel& kernel, int threads = 1) const {
    Guarded y(problem.out, x.count());
    const PointwiseArgs args{
        x.data(), has_bias ? bias.data() : nullptr, has_residual ? residual.data() : nullptr, y.data(), kRows, scale, kMul, out_scale};
    for (int t = 0; t < threads; ++t) kernel.run(problem, args, t, threads);
    EXPECT_TRUE(y.guards_intact()) << kernel.name;
    return y;
  }
  void judge(const PointwiseKernel& kernel) const {
    const std::vector<float> got = (*this)(kernel).values(), in = x.values(), rest = residual.values();
    for (size_t i = 0; i < got.size(); ++i) {
      const double sum = static_cast<double>(in[i]) * scale, add = has_bias ? bias[i % static_cast<size_t>(problem.cols)] : 0;
      const double y = activated(problem.act, sum + add) * kMul, r = has_residual ? rest[i] : 0;
      double before = 3 * kHalfUlp * (std::abs(sum) + std::abs(add));
      if (problem.act != Act::kNone) before = 1.13 * before + 8 * kHalfUlp * std::abs(sum + add);
      const double bound = (before * kMul + 4 * kHalfUlp * (std::abs(y) + std::abs(r))) / out_scale;
      ASSERT_TRUE(rounds_from(problem.out, got[i], (y + r) / out_scale, bound)) << kernel.name << " " << i << " " << got[i];
    }
  }
  static constexpr int64_t kRows = 5;
  static constexpr float kMul = 0.3535534f;
  PointwiseProblem problem;
  Guarded x, residual;
  std::vector<float> bias;
  bool has_bias, has_residual;
  float scale, out_scale;
};

TEST(Pointwise, WithinTheBound) {
  for (const PointwiseKernel& kernel : pointwise_kernels()) {
    if (!usable(kernel.isa)) continue;
    for (const DType in : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
      for (const DType out : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
        for (const Act act : {Act::kNone, Act::kQuickGelu, Act::kGeluErf, Act::kGeluTanh})
          for (const int64_t cols : {1, 7, 8, 15, 16, 17, 33, 256})
            PointwiseRun(in, out, cols, act, cols % 3 != 1, cols % 2 == 1).judge(kernel);
  }
}

TEST(Pointwise, QuantizesEveryF16AsTheConversionsSay) {
  std::vector<float> all;
  for (uint32_t bits = 0; bits < 65536; ++bits) all.push_back(decode_f16(static_cast<uint16_t>(bits)));
  const Guarded x(DType::f16, all);
  for (const PointwiseKernel& kernel : pointwise_kernels()) {
    if (!usable(kernel.isa)) continue;
    for (const float scale : {1.0f, 0.0371f, 3.3f}) {
      Guarded y(DType::e4m3, x.count());
      kernel.run({DType::f16, DType::e4m3, 4096, Act::kNone}, {x.data(), nullptr, nullptr, y.data(), 16, 1, 1, scale}, 0, 1);
      for (size_t i = 0; i < all.size(); ++i)
        ASSERT_EQ(y.data()[i] & (std::isnan(all[i]) ? 0x7f : 0xff), encode_e4m3(all[i] / scale) & (std::isnan(all[i]) ? 0x7f : 0xff))
            << kernel.name << " " << all[i];
    }
  }
}

TEST(Pointwise, BitsDoNotDependOnThreads) {
  for (const PointwiseKernel& kernel : pointwise_kernels()) {
    if (!usable(kernel.isa)) continue;
    const PointwiseRun run(DType::e4m3, DType::bf16, 40, Act::kQuickGelu, true, true);
    for (const int threads : {2, 5, 40}) EXPECT_TRUE(run(kernel) == run(kernel, threads)) << kernel.name;
  }
}

TEST(Pointwise, RefusesWithAReason) {
  for (const PointwiseKernel& kernel : pointwise_kernels()) {
    EXPECT_THAT(kernel.accepts({DType::i32, DType::f16, 8}).reason, testing::HasSubstr("i32")) << kernel.name;
    EXPECT_TRUE(kernel.accepts({DType::e4m3, DType::f16, 0}));
  }
}

}  // namespace
}  // namespace octet::cpu
