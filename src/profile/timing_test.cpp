// trtexec's statistics, by hand on small traces.
#include "profile/timing.h"

#include <gmock/gmock.h>

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

// A machine whose time moves by what each run is said to take.
struct Machine {
  double ms = 1000;  // the clock need not start at 0
  std::vector<double> takes;
  size_t next = 0;
  std::vector<DeviceTimes> device = {};

  Timing measure(const TimingOptions& options) {
    return profile::measure(
        [this]() -> std::optional<DeviceTimes> {
          const size_t i = next++ % takes.size();
          ms += takes[i];
          return device.empty() ? std::nullopt : std::optional(device[i % device.size()]);
        },
        options, [this] { return ms; });
  }
};
TimingOptions timing_options(double warm_up_ms, double duration_s, int iterations) {
  TimingOptions options;
  options.warm_up_ms = warm_up_ms, options.duration_s = duration_s, options.iterations = iterations;
  return options;
}

TEST(Measure, CutsRunsThatBeginBeforeTheWarmUpEnds) {
  Machine machine{.takes = {30}};
  const Timing timing = machine.measure(timing_options(100, 0, 3));
  EXPECT_EQ(timing.warm_up_runs, 4);  // at 0, 30, 60 and 90 ms
  EXPECT_DOUBLE_EQ(timing.warm_up_ms, 120);
  ASSERT_EQ(timing.runs.size(), 3u);
  EXPECT_DOUBLE_EQ(timing.runs[0].begin_ms, 120);
  EXPECT_DOUBLE_EQ(timing.runs[2].end_ms, 210);
}

TEST(Measure, ARunThatBeginsAtTheWarmUpsEndCounts) {
  Machine machine{.takes = {50}};
  EXPECT_EQ(machine.measure(timing_options(100, 0, 1)).warm_up_runs, 2);
}

TEST(Measure, TheWarmUpIsCutByTheBeginningOfTheCompute) {
  Machine machine{.takes = {60}, .device = {{45, 10, 5, 1}}};
  const Timing timing = machine.measure(timing_options(100, 0, 1));
  EXPECT_EQ(timing.warm_up_runs, 1);  // the second begins at 60 ms, its compute at 105
  EXPECT_DOUBLE_EQ(timing.runs[0].compute_begin_ms(), 105);
  EXPECT_DOUBLE_EQ(timing.runs[0].latency_ms(), 60);
}

TEST(Measure, LastsForTheDurationAfterTheWarmUpAndForTheIterations) {
  Machine by_time{.takes = {30}};
  const Timing timing = by_time.measure(timing_options(100, 0.2, 3));
  EXPECT_GE(timing.runs.back().begin_ms, 300);  // ends with the first run that begins after warm-up and duration
  EXPECT_LT(timing.runs.back().begin_ms, 330);
  Machine by_count{.takes = {100}};
  EXPECT_EQ(by_count.measure(timing_options(0, 0.2, 7)).runs.size(), 7u);
  Machine least{.takes = {5}};
  EXPECT_EQ(least.measure(timing_options(0, 0, 1)).runs.size(), 1u);
}

TEST(Measure, RealRunsAreTimedByTheSteadyClock) {
  const Timing timing = measure([] { return std::nullopt; }, timing_options(5, 0, 7));
  EXPECT_GT(timing.warm_up_runs, 0);
  EXPECT_EQ(timing.runs.size(), 7u);
  EXPECT_GE(timing.runs.front().begin_ms, 5);
}

TEST(Merge, OrdersTheRunsOfSeveralStreamsByTheirBeginning) {
  Timing a = trace({10, 10}), b = trace({4, 26});
  a.warm_up_runs = 1, b.warm_up_runs = 2;
  const Timing both = merge(std::vector{a, b});
  EXPECT_EQ(both.warm_up_runs, 3);
  ASSERT_EQ(both.runs.size(), 4u);
  EXPECT_EQ(both.runs[2].stream, 1);
  EXPECT_DOUBLE_EQ(summarize(both, {}).wall_s, 0.03);  // from the first beginning to the last end, 4 + 26 ms
}

}  // namespace
}  // namespace octet::profile
