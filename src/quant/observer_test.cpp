#include "quant/observer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "formats/hostile_testing.h"
#include "numeric/convert.h"
#include "quant/scale.h"

namespace octet {
namespace {

using testing::code_of;

// Bell-shaped values with a few outliers, as activations are.
std::vector<float> activations(size_t count, float deviation, float outlier) {
  std::mt19937 random(7);
  std::normal_distribution<float> draw(0, deviation);
  std::vector<float> values(count);
  for (float& v : values) v = draw(random);
  for (size_t i = 0; i < count; i += 9973) values[i] = i % 2 ? outlier : -outlier;
  return values;
}
Observer observed(const std::vector<float>& values) {
  Observer observer;
  observer.add(values);
  return observer;
}
// The same by plain loops over the values.
QuantError plain_error(const std::vector<float>& values, float scale) {
  QuantError error;
  for (const float x : values) {
    const double q = double{decode_e4m3(encode_e4m3(x / scale))} * scale;
    ++error.count;
    error.clipped += std::abs(x) > 464 * scale;
    error.signal += double{x} * x;
    error.noise += (x - q) * (x - q);
  }
  return error;
}

TEST(Observer, TheGreatestIsExact) {
  for (const auto& [deviation, outlier] : {std::pair{1.0f, 9.3f}, {1e-6f, 1e-5f}, {300.0f, 65504.0f}}) {
    const auto values = activations(20'000, deviation, outlier);
    float greatest = 0;
    for (const float v : values) greatest = std::max(greatest, std::abs(v));
    EXPECT_EQ(observed(values).amax(), greatest);
    EXPECT_EQ(observed(values).range(RangeMethod::kMax), greatest);
    EXPECT_EQ(observed(values).count(), 20'000);
  }
}

TEST(Observer, PercentilesAreThoseOfTheSortedValues) {
  auto values = activations(100'000, 1.0f, 40.0f);
  const Observer observer = observed(values);
  for (float& v : values) v = std::abs(v);
  std::sort(values.begin(), values.end());
  for (const double percent : {50.0, 90.0, 99.0, 99.9, 99.98}) {
    const float exact = values[static_cast<size_t>(std::ceil(percent / 100 * 100'000)) - 1];
    EXPECT_NEAR(observer.percentile(percent), exact, exact / 128) << percent;
  }
  EXPECT_EQ(observer.percentile(100), observer.amax());
  // Eleven values are outliers: 99.99 % leaves out ten of them, and no more.
  EXPECT_NEAR(observer.range(RangeMethod::kPercentile), 40, 40.0 / 128);
  EXPECT_LT(observer.percentile(99.98), 6);
}

TEST(Observer, ErrorsAreThoseOfPlainLoops) {
  const auto values = activations(50'000, 1.0f, 12.0f);
  const Observer observer = observed(values);
  for (const float amax : {12.0f, 6.0f, 3.0f, 1.0f, 200.0f}) {
    const float scale = e4m3_scale(amax);
    const QuantError mine = observer.error_at(scale), plain = plain_error(values, scale);
    EXPECT_EQ(mine.count, plain.count);
    EXPECT_NEAR(mine.sqnr_db(), plain.sqnr_db(), 0.05) << amax;
    EXPECT_NEAR(mine.clipped_percent(), plain.clipped_percent(), 0.02 * plain.clipped_percent() + 0.01) << amax;
  }
  EXPECT_EQ(observer.error_at(e4m3_scale(12)).clipped, 0);
}

// An outlier of 3000 deviations pushes most values among the subnormals of E4M3: clipping it costs less only where there is one.
TEST(Observer, TheLeastSquaresRangeIsThatOfPlainLoops) {
  for (const auto& [deviation, outlier] : {std::pair{1.0f, 5.0f}, {1.0f, 40.0f}, {0.02f, 60.0f}}) {
    const auto values = activations(9'000, deviation, outlier);
    const Observer observer = observed(values);
    double least = std::numeric_limits<double>::infinity();
    for (int i = -48; i <= 16; ++i)
      least = std::min(least, plain_error(values, e4m3_scale(observer.amax() * std::exp2(static_cast<float>(i) / 16))).noise);
    const double mine = plain_error(values, e4m3_scale(observer.range(RangeMethod::kMse))).noise;
    EXPECT_LE(mine, 1.02 * least) << outlier;
    EXPECT_LE(mine, 1.02 * plain_error(values, e4m3_scale(observer.amax())).noise) << outlier;
  }
}

TEST(Observer, OrderAndPartsDoNotMatter) {
  auto values = activations(10'000, 1.0f, 9.0f);
  const Observer whole = observed(values);
  std::reverse(values.begin(), values.end());
  Observer parts;
  parts.add(std::span(values).first(3000));
  parts.add(std::span(values).subspan(3000));
  EXPECT_EQ(parts.mse_amax(), whole.mse_amax());
  EXPECT_EQ(parts.percentile(99.9), whole.percentile(99.9));
  EXPECT_EQ(parts.error_at(0.01f).noise, whole.error_at(0.01f).noise);
}

TEST(Observer, ClearsAndStartsAgain) {
  Observer observer = observed(activations(1000, 1.0f, 9.0f));
  observer.clear();
  EXPECT_EQ(observer.count(), 0);
  EXPECT_EQ(observer.amax(), 0);
  const std::vector<float> few{0.5f, -0.25f, 0.0f, 0.125f};
  observer.add(few);
  EXPECT_EQ(observer.percentile(50), observed(few).percentile(50));
  EXPECT_EQ(observer.error_at(e4m3_scale(0.5f)).noise, observed(few).error_at(e4m3_scale(0.5f)).noise);
}

TEST(Observer, ZerosLoseNothing) {
  Observer observer;
  EXPECT_EQ(observer.percentile(99), 0);
  observer.add(std::vector<float>(100, 0.0f));
  EXPECT_EQ(observer.range(RangeMethod::kMse), 0);
  EXPECT_EQ(observer.percentile(99.99), 0);
  EXPECT_EQ(observer.error_at(e4m3_scale(0)).sqnr_db(), std::numeric_limits<double>::infinity());
}

TEST(Observer, RefusesWhatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
    EXPECT_EQ(code_of([&] { observed({1.0f, bad}); }), Code::kInvalid);
}

TEST(Observer, MethodsByName) {
  EXPECT_EQ(parse_range_method("percentile"), RangeMethod::kPercentile);
  EXPECT_EQ(code_of([] { parse_range_method("entropy"); }), Code::kUsage);
}

TEST(Scale, AsModelOptRounds) {
  EXPECT_EQ(e4m3_scale(448), 1);
  EXPECT_EQ(e4m3_scale(0), e4m3_scale(1));
  EXPECT_EQ(e4m3_scale(0x1p-24f), e4m3_scale(1));
  EXPECT_EQ(e4m3_scale(3.7f), decode_f16(encode_f16(3.7f / 448)));
}

}  // namespace
}  // namespace octet
