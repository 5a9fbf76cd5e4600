// fake_quantize against the conversions: every f16, every code, threads that split the array.
#include "cpu/kernels/fake_quantize/fake_quantize.h"

#include "cpu/kernels/kernel_test.h"

namespace octet::cpu {
namespace {

using kernel_test::Guarded;

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void run(const Guarded& x, Guarded& y, float scale, int threads) {
  for (int thread = 0; thread < threads; ++thread)
    fake_quantize({x.dtype(), y.dtype(), x.data(), y.data(), x.count(), scale}, thread, threads);
  EXPECT_TRUE(y.guards_intact());
}

TEST(FakeQuantize, EveryF16AsTheConversionsSay) {
  std::vector<float> all;
  for (uint32_t bits = 0; bits < 65536; ++bits) all.push_back(decode_f16(static_cast<uint16_t>(bits)));
  for (const DType type : {DType::f16, DType::f32})
    for (const float scale : {1.0f, 1 / 448.0f, 0.0022316f, 37.5f}) {
      const Guarded x(type, all);
      Guarded y(type, x.count());
      run(x, y, scale, 3);
      const auto in = x.values(), out = y.values();
      for (size_t i = 0; i < in.size(); ++i) {
        const float product = decode_e4m3(encode_e4m3(in[i] / scale)) * scale;
        const float expected = type == DType::f16 ? decode_f16(encode_f16(product)) : product;
        ASSERT_TRUE(same(out[i], expected)) << in[i] << " / " << scale << " gave " << out[i] << ", not " << expected;
        ASSERT_EQ(std::signbit(out[i]), std::signbit(expected)) << in[i];
      }
    }
}

TEST(FakeQuantize, CodesAreMultiplied) {
  Guarded x(DType::e4m3, 256);
  for (int i = 0; i < 256; ++i) x.data()[i] = static_cast<uint8_t>(i);
  Guarded y(DType::f32, 256);
  run(x, y, 0.25f, 1);
  for (int i = 0; i < 256; ++i) EXPECT_TRUE(same(y.values()[static_cast<size_t>(i)], 0.25f * decode_e4m3(static_cast<uint8_t>(i)))) << i;
}

}  // namespace
}  // namespace octet::cpu
