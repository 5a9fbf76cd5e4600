// The AVX2 and AVX-512 helpers: conversions bit for bit against numeric/convert.h (all codes; all midpoints and neighbours; random
// bits), functions against f64 libm with the bounds that simd/math.h states.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "cpu/isa.h"
#include "cpu/simd/simd_probe.h"
#include "numeric/convert.h"

namespace octet::cpu {
namespace {

std::vector<const SimdProbe*> usable_probes() {
  std::vector<const SimdProbe*> probes;
  for (const SimdProbe* probe : {&kSimdProbeAvx2, &kSimdProbeAvx512})
    if ((probe->isa & ~detected_isa()) == 0) probes.push_back(probe);
  return probes;
}

float decoded(DType type, uint16_t bits) {
  return type == DType::e4m3 ? decode_e4m3(static_cast<uint8_t>(bits)) : type == DType::f16 ? decode_f16(bits) : decode_bf16(bits);
}
uint16_t encoded(DType type, float x) { return type == DType::e4m3 ? encode_e4m3(x) : type == DType::f16 ? encode_f16(x) : encode_bf16(x); }

TEST(Simd, DecodesEveryCode) {
  for (const SimdProbe* probe : usable_probes())
    for (const DType type : {DType::e4m3, DType::f16, DType::bf16}) {
      const size_t codes = type == DType::e4m3 ? 256 : 65536, size = size_of(type), count = codes - 3;  // an odd tail
      std::vector<uint8_t> bytes(codes * size);
      for (size_t i = 0; i < codes; ++i) std::memcpy(bytes.data() + i * size, &i, size);
      std::vector<float> got(codes, -1.f);
      probe->load(type, bytes.data(), got.data(), count);
      for (size_t i = 0; i < count; ++i) {
        const float want = decoded(type, static_cast<uint16_t>(i));
        const bool same = std::isnan(want) ? std::isnan(got[i]) : std::bit_cast<uint32_t>(want) == std::bit_cast<uint32_t>(got[i]);
        ASSERT_TRUE(same) << probe->name << " " << name_of(type) << " " << i << ": " << got[i] << " for " << want;
      }
      EXPECT_EQ(got[count], -1.f) << "the mask let a lane through";
    }
}

// Every value of the type, every midpoint, their f32 neighbours, and random bits.
std::vector<float> hard_values(DType type) {
  std::vector<float> values = {INFINITY, -INFINITY, NAN, -NAN, 1e38f, -1e38f, 0x1p-149f, -0x1p-149f, 449.f, 464.f, 465.f, 65520.f, 1e-40f};
  for (unsigned i = 0; i < (type == DType::e4m3 ? 127u : 0x7bffu); ++i)
    for (const float sign : {1.f, -1.f}) {
      const float low = decoded(type, static_cast<uint16_t>(i)), high = decoded(type, static_cast<uint16_t>(i + 1));
      const float middle = low + (high - low) / 2;
      for (const float x : {low, middle, std::nextafterf(middle, low), std::nextafterf(middle, high)}) values.push_back(sign * x);
    }
  std::mt19937 random(7);
  for (int i = 0; i < 200000; ++i) values.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
  return values;
}

TEST(Simd, EncodesValuesMidpointsAndNeighbours) {
  for (const SimdProbe* probe : usable_probes())
    for (const DType type : {DType::e4m3, DType::f16, DType::bf16}) {
      const std::vector<float> values = hard_values(type);
      std::vector<uint8_t> got(values.size() * size_of(type) + 1, 0xa5), pairs(values.size() + 1, 0xa5);
      probe->store(type, values.data(), got.data(), values.size());
      if (type == DType::e4m3) probe->store_e4m3_pairs(values.data(), pairs.data(), values.size());
      for (size_t i = 0; i < values.size(); ++i) {
        uint16_t code = 0;
        std::memcpy(&code, got.data() + i * size_of(type), size_of(type));
        const uint16_t want = encoded(type, values[i]);
        const bool nan = std::isnan(values[i]);
        ASSERT_TRUE(nan && type != DType::e4m3 ? std::isnan(decoded(type, code)) : code == want)
            << probe->name << " " << name_of(type) << " " << values[i] << ": " << code << " for " << want;
        if (type == DType::e4m3) {
          ASSERT_EQ(pairs[i], want) << probe->name << " pair " << values[i];
        }
      }
      EXPECT_EQ(got.back(), 0xa5);
      EXPECT_EQ(pairs.back(), 0xa5);
    }
}

TEST(Simd, E4m3ToBf16InEveryOrder) {
  if ((detected_isa() & kAvx512) == 0) GTEST_SKIP() << "no avx512";
  for (int first = 0; first < 256; first += 64) {
    uint8_t codes[64];
    for (int i = 0; i < 64; ++i) codes[i] = static_cast<uint8_t>(first + i);
    E4m3Orders out;
    probe_e4m3_to_bf16(codes, out);
    for (int i = 0; i < 64; ++i) {
      const uint16_t want = encode_bf16(decode_e4m3(codes[i]));
      const int at = i / 16 * 8 + i % 8 + (i % 16 >= 8 ? 32 : 0);
      for (const uint16_t got : {out.ordered[i], out.halves[i], out.interleaved[at]}) ASSERT_EQ(got, want) << static_cast<int>(codes[i]);
    }
  }
}

// Points over [low, high], denser near zero.
std::vector<float> points(float low, float high) {
  std::vector<float> x = {0.f, -0.f, low, high, 0x1p-130f, -0x1p-130f};
  std::mt19937 random(11);
  std::uniform_real_distribution<float> across(low, high), near(-1, 1);
  for (int i = 0; i < 300000; ++i) x.push_back(across(random)), x.push_back(near(random));
  return x;
}

using Function = void (*)(const float*, float*, size_t);
using Exact = double (*)(double);
using Bound = double (*)(double x, double y);  // absolute
void expect_within(const char* name, Function f, Exact exact, Bound bound, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  f(x.data(), y.data(), x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = exact(x[i]);
    ASSERT_LE(std::abs(y[i] - want), bound(x[i], want) + 0x1p-149) << name << "(" << x[i] << ") = " << y[i] << ", exactly " << want;
  }
  const float special[] = {NAN, NAN};
  f(special, y.data(), 2);
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << name;
}

constexpr double u = 0x1p-24;  // half an ulp, relative

TEST(Simd, FunctionsKeepTheirBounds) {
  for (const SimdProbe* probe : usable_probes()) {
    SCOPED_TRACE(probe->name);
    expect_within(
        "exp", probe->exp, [](double x) { return std::exp(x); }, [](double, double y) { return 3 * u * y; }, points(-87, 88.7f));
    expect_within(
        "sigmoid", probe->sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, [](double, double y) { return 6 * u * y; },
        points(-80, 100));
    expect_within(
        "erf", probe->erf, [](double x) { return std::erf(x); }, [](double, double) { return 8 * u; }, points(-10, 10));
    // x * 1.702 is rounded before the exponential, which turns half an ulp of it into |1.702 x| * u.
    expect_within(
        "quick_gelu", probe->quick_gelu, [](double x) { return x / (1 + std::exp(-1.702 * x)); },
        [](double x, double y) { return (8 + 2 * std::abs(1.702 * x)) * u * std::abs(y); }, points(-45, 100));
    expect_within(
        "gelu_erf", probe->gelu_erf, [](double x) { return x * 0.5 * std::erfc(-x * M_SQRT1_2); },
        [](double x, double) { return 4 * u * std::abs(x); }, points(-12, 100));
    expect_within(
        "gelu_tanh", probe->gelu_tanh, [](double x) { return x / (1 + std::exp(-std::sqrt(8 / M_PI) * (x + 0.044715 * x * x * x))); },
        [](double x, double y) { return (8 + 4 * std::abs(1.6 * x * (1 + 0.0447 * x * x))) * u * std::abs(y); }, points(-9, 100));
  }
}

TEST(Simd, FunctionsAtTheEnds) {
  for (const SimdProbe* probe : usable_probes()) {
    const float x[] = {-INFINITY, -1e30f, -200.f, 200.f, 1e30f, INFINITY};
    float y[6];
    probe->exp(x, y, 6);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(y[i], 0.f) << probe->name;
    for (int i = 3; i < 6; ++i) EXPECT_EQ(y[i], INFINITY) << probe->name;
    for (const Function gelu : {probe->quick_gelu, probe->gelu_erf, probe->gelu_tanh}) {
      gelu(x + 1, y, 5);
      for (int i = 0; i < 2; ++i) EXPECT_NEAR(y[i], 0.f, 1e-20f) << probe->name;
      for (int i = 2; i < 5; ++i) EXPECT_EQ(y[i], x[i + 1]) << probe->name;
    }
  }
}

}  // namespace
}  // namespace octet::cpu
