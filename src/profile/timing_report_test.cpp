// The report against hand-computed figures; its JSON against its own printed lines.
#include "profile/timing_report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace octet::profile {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Timing trace(const std::vector<double>& latencies, std::optional<DeviceTimes> device = std::nullopt) {
  Timing timing;
  double t = 200;
  for (const double ms : latencies) timing.runs.push_back({t, t + ms, device}), t += ms;
  return timing;
}
std::vector<std::string> lines_of(const Timing& timing, char level, const ReportOptions& report = {}) {
  std::vector<std::string> lines;
  for (const auto& line : report_lines(timing, {}, report))
    if (line.level == level) lines.push_back(line.text);
  return lines;
}

TEST(TimingReport, HasTrtexecsLines) {
  const auto lines = lines_of(trace({10, 10, 10}), 'I', {.batch = 128, .average_runs = 2});
  EXPECT_THAT(lines, Contains("Timing trace has 3 queries over 0.03 s"));
  EXPECT_THAT(lines, Contains("Trace averages of 2 runs:"));
  EXPECT_THAT(lines, Contains("Average on 2 runs - GPU latency: 10 ms - Host latency: 10 ms (enqueue 0 ms)").Times(1));
  EXPECT_THAT(lines, Contains("=== Performance summary ==="));
  EXPECT_THAT(lines, Contains("Throughput: 100 qps"));
  EXPECT_THAT(lines, Contains("Latency: min = 10 ms, max = 10 ms, mean = 10 ms, median = 10 ms, percentile(90%) = 10 ms, percentile(95%) = "
                              "10 ms, percentile(99%) = 10 ms"));
  EXPECT_THAT(lines, Contains(StartsWith("H2D Latency: min = 0 ms")));
  EXPECT_THAT(lines, Contains("Total Host Walltime: 0.03 s"));
  EXPECT_THAT(lines, Contains("Items per second: 12800 (batch 128)"));
  EXPECT_THAT(lines, Contains(StartsWith("On the CPU nothing is transferred")));
}

TEST(TimingReport, OfTheHostHasItsHandingOver) {
  const DeviceTimes host{0, 9, 0, 8.5, true};
  const auto lines = lines_of(trace({9.25, 9.25}, host), 'I');
  EXPECT_THAT(lines, Contains(StartsWith("Latency: min = 9.25 ms")));  // the wall time, not the backend's own
  EXPECT_THAT(lines, Contains(StartsWith("GPU Compute Time: min = 9.25 ms")));
  EXPECT_THAT(lines, Contains(StartsWith("Enqueue Time: min = 8.5 ms")));
  EXPECT_THAT(lines, Contains(StartsWith("Wall Latency: min = 9.25 ms")));
  EXPECT_THAT(lines, Contains(StartsWith("On the CPU nothing is transferred")));
  EXPECT_TRUE(lines_of(trace({9, 9}, host), 'W').empty());  // of several streams one waits for the others: no GPU does
}

TEST(TimingReport, LatencyOnADeviceIsTheSumOfItsParts) {
  const auto lines = lines_of(trace({9, 9}, DeviceTimes{1, 5, 0.5, 0.25}), 'I');
  EXPECT_THAT(lines, Contains(StartsWith("Latency: min = 6.5 ms")));
  EXPECT_THAT(lines, Contains(StartsWith("GPU Compute Time: min = 5 ms")));
  EXPECT_THAT(lines, Contains(StartsWith("Enqueue Time: min = 0.25 ms")));
  EXPECT_THAT(lines, Contains(StartsWith("Wall Latency: min = 9 ms")));
  EXPECT_THAT(lines, Not(Contains(StartsWith("On the CPU"))));
}

TEST(TimingReport, WarnsAtTrtexecsThresholds) {
  EXPECT_TRUE(lines_of(trace({9, 9}, DeviceTimes{1, 5, 1, 4}), 'W').empty());  // 0.8 of the compute time is not more than 0.8
  EXPECT_THAT(lines_of(trace({9, 9}, DeviceTimes{1, 5, 1, 4.5}), 'W'), Contains(HasSubstr("Handing over")));
  EXPECT_THAT(lines_of(trace({9, 9}, DeviceTimes{5, 5, 1, 1}), 'W'), Contains(HasSubstr("inputs to the GPU")));
  EXPECT_THAT(lines_of(trace({9, 9}, DeviceTimes{1, 5, 6, 1}), 'W'), Contains(HasSubstr("outputs from the GPU")));
  EXPECT_TRUE(lines_of(trace({100, 104}), 'W').empty());  // 1.96 %
  EXPECT_THAT(lines_of(trace({100, 106}), 'W'), Contains(HasSubstr("coefficient of variance = 2.91262%")));
  EXPECT_THAT(lines_of(trace({100, 100}), 'W', {.streams = 2}), Contains(HasSubstr("2 streams")));
}

TEST(TimingReport, OfNoRunsIsTheTraceAlone) { EXPECT_EQ(report_lines({}, {}, {}).size(), 2u); }

TEST(TimesJson, HasTrtexecsFields) {
  const auto json = nlohmann::json::parse(times_json(trace({9, 12}, DeviceTimes{1, 5, 0.5, 0.25})));
  ASSERT_EQ(json.size(), 2u);
  const nlohmann::json expected{
      {"startEnqMs", 200.0},   {"endEnqMs", 200.25},  {"startH2dMs", 200.0}, {"endH2dMs", 201.0}, {"startComputeMs", 201.0},
      {"endComputeMs", 206.0}, {"startD2hMs", 206.0}, {"endD2hMs", 206.5},   {"h2dMs", 1.0},      {"computeMs", 5.0},
      {"d2hMs", 0.5},          {"latencyMs", 6.5},    {"wallMs", 9.0},       {"stream", 0}};
  EXPECT_EQ(json[0], expected);
  EXPECT_EQ(json[1]["startEnqMs"], 209.0);
  EXPECT_TRUE(nlohmann::json::parse(times_json({})).empty());
}

}  // namespace
}  // namespace octet::profile
