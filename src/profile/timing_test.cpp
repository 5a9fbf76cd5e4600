// trtexec's statistics, by hand on small traces.
#include "profile/timing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace octet::profile {
namespace {

Timing trace(const std::vector<double>& latencies) {
  Timing timing;
  double t = 0;
  for (const double ms : latencies) timing.runs.push_back({t, t + ms}), t += ms;
  return timing;
}

TEST(Summarize, MedianOfEvenAndOddCounts) {
  EXPECT_DOUBLE_EQ(summarize(trace({4, 1, 3, 2}), {}).median, 2.5);
  EXPECT_DOUBLE_EQ(summarize(trace({4, 1, 3}), {}).median, 3);
}

TEST(Summarize, PercentileExcludesTheTopByTrtexecsFormula) {
  std::vector<double> ms;
  for (int i = 1; i <= 100; ++i) ms.push_back(i);
  const Summary s = summarize(trace(ms), {90, 99, 100});
  EXPECT_DOUBLE_EQ(s.percentiles[0].second, 90);   // f32: (1 - 0.9) * 100 = 10.000002, ten excluded
  EXPECT_DOUBLE_EQ(s.percentiles[1].second, 100);  // f32: (1 - 0.99) * 100 = 0.999999, none excluded
  EXPECT_DOUBLE_EQ(s.percentiles[2].second, 100);
}

TEST(Summarize, ThroughputIsRunsOverTheWholeWindow) {
  const Summary s = summarize(trace({10, 10, 20}), {});
  EXPECT_DOUBLE_EQ(s.wall_s, 0.04);
  EXPECT_DOUBLE_EQ(s.throughput, 75);
  EXPECT_NEAR(s.coefficient_of_variation, 100 * std::sqrt((2 * 11.111111 + 44.444444) / 3) / (40.0 / 3), 1e-3);
}

TEST(Measure, CutsTheWarmUpAndRunsAtLeastTheIterations) {
  int runs = 0;
  TimingOptions options;
  options.warm_up_ms = 0;
  options.duration_s = 0;
  options.iterations = 7;
  const Timing timing = measure([&] { return ++runs, std::nullopt; }, options);
  EXPECT_EQ(timing.runs.size(), 7u);
  EXPECT_EQ(runs, 7);
  options.warm_up_ms = 5;
  const Timing warm = measure([&] { return ++runs, std::nullopt; }, options);
  EXPECT_GT(warm.warm_up_runs, 0);
  EXPECT_GE(warm.runs.front().begin_ms, 5);
}

TEST(Report, HasTrtexecsLines) {
  TimingOptions options;
  const auto lines = report_lines(trace({10, 10, 10}), options, 128);
  EXPECT_THAT(lines, testing::Contains("=== Performance summary ==="));
  EXPECT_THAT(lines, testing::Contains("Throughput: 100 qps"));
  EXPECT_THAT(lines, testing::Contains(
                         testing::StartsWith("Latency: min = 10 ms, max = 10 ms, mean = 10 ms, median = 10 ms, percentile(90%) = 10 ms")));
  EXPECT_THAT(lines, testing::Contains("Items per second: 12800 (batch 128)"));
}

}  // namespace
}  // namespace octet::profile
