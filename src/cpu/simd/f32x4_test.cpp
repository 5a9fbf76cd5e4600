// The portable vector against numeric/convert.h: every f16, bf16 and e4m3 code, every midpoint between neighbours, masks; and the
// softmax exponential against libm.
#include "cpu/simd/f32x4.h"

#include "cpu/kernels/kernel_test.h"
#include "cpu/simd/math.h"
#include "cpu/simd/reduce.h"

namespace octet::cpu {
namespace {

constexpr DType kTypes[] = {DType::f16, DType::bf16, DType::e4m3};
uint32_t codes_of(DType type) { return type == DType::e4m3 ? 256 : 65536; }
uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }

float through_load(DType type, uint32_t code) {
  uint8_t four[16] = {};
  std::memcpy(four + 2 * size_of(type), &code, size_of(type));
  float lanes[4];
  load_as(type, four, 0, F32x4::first(4)).store(lanes);
  return lanes[2];
}
uint32_t through_store(DType type, float x) {
  const float lanes[4] = {0, x, 0, 0};
  uint8_t four[16] = {};
  store_as(type, four, 0, F32x4::load(lanes), F32x4::first(4));
  uint32_t code = 0;
  std::memcpy(&code, four + size_of(type), size_of(type));
  return code;
}
uint32_t encoded(DType type, float x) {
  uint32_t code = 0;
  encode_many(type, &x, 1, &code);
  return code;
}

TEST(F32x4, DecodesEveryCode) {
  for (DType type : kTypes)
    for (uint32_t code = 0; code < codes_of(type); ++code) {
      float exact;
      decode_many(type, &code, 1, &exact);
      const float got = through_load(type, code);
      if (std::isnan(exact)) {
        ASSERT_TRUE(std::isnan(got)) << name_of(type) << " " << code;
      } else {
        ASSERT_EQ(bits(exact), bits(got)) << name_of(type) << " " << code;
      }
    }
}

TEST(F32x4, EncodesValuesMidpointsAndNeighbours) {
  for (DType type : kTypes)
    for (uint32_t code = 0; code + 1 < codes_of(type); ++code) {
      float low, high;
      const uint32_t next = code + 1;
      decode_many(type, &code, 1, &low);
      decode_many(type, &next, 1, &high);
      const float middle = static_cast<float>((static_cast<double>(low) + high) / 2);
      for (float x : {low, middle, std::nextafter(middle, low), std::nextafter(middle, high)}) {
        const uint32_t exact = encoded(type, x), got = through_store(type, x);
        if (std::isnan(x)) {
          ASSERT_TRUE(std::isnan(through_load(type, got))) << name_of(type) << " " << code;
        } else {
          ASSERT_EQ(exact, got) << name_of(type) << " " << x;
        }
      }
    }
  const float inf = INFINITY, most = 3.4028235e38f;
  for (DType type : kTypes)
    for (float x : {inf, -inf, most, -most, 1e-45f, -1e-45f, 65519.9f, 65520.0f, 464.0f, 464.1f, -1e4f})
      EXPECT_EQ(encoded(type, x), through_store(type, x)) << name_of(type) << " " << x;
}

TEST(F32x4, MasksTouchOnlyTheirLanes) {
  for (DType type : {DType::f32, DType::f16, DType::bf16, DType::e4m3})
    for (int64_t n = 0; n <= 4; ++n) {
      const std::vector<float> from(static_cast<size_t>(n), 1.5f);  // under asan, a lane too many is an error
      const kernel_test::Guarded source(type, from);
      kernel_test::Guarded to(type, n);
      const F32x4 x = load_as(type, source.data(), 0, F32x4::first(n));
      EXPECT_EQ(1.5f * static_cast<float>(n), sum_of(x));
      store_as(type, to.data(), 0, x, F32x4::first(n));
      EXPECT_TRUE(to == source);
    }
}

TEST(F32x4, Exp2OfNonpositive) {
  double worst = 0;
  for (uint32_t i = 0; i < (129u << 23); i += 1009) {  // 0 .. -258
    const float x = -std::bit_cast<float>(i);
    if (x < -126) continue;
    const double exact = std::exp2(static_cast<double>(x));
    worst = std::max(worst, std::abs(max_of(exp2_nonpositive(F32x4::set(x))) / exact - 1));
  }
  EXPECT_LE(worst, std::exp2(-22.4));
  EXPECT_EQ(1.0f, max_of(exp2_nonpositive(F32x4::zero())));
  for (float x : {-126.5f, -1e5f, -1e30f, -INFINITY}) EXPECT_EQ(0x1p-126f, max_of(exp2_nonpositive(F32x4::set(x)))) << x;
  EXPECT_TRUE(std::isnan(sum_of(exp2_nonpositive(F32x4::set(NAN)))));
}

TEST(F32x4, Exp) {
  for (float x = -87.0f; x < 88.0f; x += 0.01171f) {
    const double exact = std::exp(static_cast<double>(x));
    EXPECT_LE(std::abs(max_of(exp(F32x4::set(x))) / exact - 1), 2.5 * 0x1p-23) << x;  // fma rounds twice here
  }
}

}  // namespace
}  // namespace octet::cpu
