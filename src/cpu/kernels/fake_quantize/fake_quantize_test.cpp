// fake_quantize against the conversions: every f16, every code, threads that split the array, every row the machine has.
#include "cpu/kernels/fake_quantize/fake_quantize.h"

#include "cpu/kernels/kernel_test.h"

namespace octet::cpu {
namespace {

using kernel_test::Guarded;
using kernel_test::usable;

bool same(float a, float b) { return std::signbit(a) == std::signbit(b) && (a == b || (std::isnan(a) && std::isnan(b))); }

Guarded run(const FakeQuantizeKernel& row, const Guarded& x, DType out, float scale, int threads) {
  Guarded y(out, x.count());
  const FakeQuantizeProblem problem{x.dtype(), out};
  EXPECT_FALSE(row.accepts(problem));
  for (int thread = 0; thread < threads; ++thread) row.run(problem, {x.data(), y.data(), x.count(), scale}, thread, threads);
  EXPECT_TRUE(y.guards_intact()) << row.name;
  return y;
}

TEST(FakeQuantize, EveryF16AsTheConversionsSay) {
  std::vector<float> all;
  for (uint32_t bits = 0; bits < 65536; ++bits) all.push_back(decode_f16(static_cast<uint16_t>(bits)));
  for (const FakeQuantizeKernel& row : fake_quantize_kernels())
    for (const DType type : {DType::f16, DType::bf16, DType::f32})
      for (const float scale : {1.0f, 1 / 448.0f, 0.0022316f, 37.5f}) {
        if (!usable(row.isa)) continue;
        const Guarded x(type, all);
        const auto in = x.values(), out = run(row, x, type, scale, 3).values();
        for (size_t i = 0; i < in.size(); ++i) {
          const float product = decode_e4m3(encode_e4m3(in[i] / scale)) * scale;
          const auto expected = static_cast<float>(kernel_test::rounded(type, product));
          ASSERT_TRUE(same(out[i], expected)) << row.name << ": " << in[i] << " / " << scale << " gave " << out[i] << ", not " << expected;
        }
      }
}

TEST(FakeQuantize, CodesAreMultiplied) {
  Guarded x(DType::e4m3, 256);
  for (int i = 0; i < 256; ++i) x.data()[i] = static_cast<uint8_t>(i);
  for (const FakeQuantizeKernel& row : fake_quantize_kernels()) {
    if (!usable(row.isa)) continue;
    const auto y = run(row, x, DType::f32, 0.25f, 1).values();
    for (int i = 0; i < 256; ++i)
      EXPECT_TRUE(same(y[static_cast<size_t>(i)], 0.25f * decode_e4m3(static_cast<uint8_t>(i)))) << row.name << " " << i;
  }
}

TEST(FakeQuantize, AllRowsGiveTheSameBitsForAnyLengthAndThreads) {
  const auto& portable = fake_quantize_kernels().back();
  for (const DType in : {DType::f16, DType::bf16, DType::f32, DType::e4m3})
    for (const int64_t count : {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255, 256, 257, 1023, 1025}) {
      const Guarded x(in, kernel_test::normal_values(count, 90, 7));
      for (const FakeQuantizeKernel& row : fake_quantize_kernels())
        for (const int threads : {1, 2, 5}) {
          if (!usable(row.isa)) continue;
          const DType out = in == DType::e4m3 ? DType::f16 : in;
          EXPECT_EQ(run(row, x, out, 0.37f, threads), run(portable, x, out, 0.37f, 1)) << row.name << " " << name_of(in) << " " << count;
        }
    }
}

}  // namespace
}  // namespace octet::cpu
