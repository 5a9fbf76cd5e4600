// Times an engine as trtexec does (sampleInference.cpp / sampleReporting.cpp semantics, 10.16): warm-up cut, at least `iterations`
// and `duration`, its percentile formula, median, coefficient of variation. On the CPU there are no transfers and nothing is
// queued: latency = compute = the wall time of one Session run.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace octet::profile {

struct TimingOptions {
  double warm_up_ms = 200;             // runs that begin before this are not counted
  double duration_s = 3;               // at least; measured from the end of the warm-up
  int iterations = 10;                 // at least
  std::vector<double> percentiles{90, 95, 99};
};

struct Run {
  double begin_ms, end_ms;             // since the first run
  double latency_ms() const { return end_ms - begin_ms; }
};
struct Timing {
  std::vector<Run> runs;               // counted runs only, in order
  int warm_up_runs = 0;
  double warm_up_ms = 0;
};

Timing measure(const std::function<void()>& run, const TimingOptions& options);

struct Summary {
  double min = 0, max = 0, mean = 0, median = 0, coefficient_of_variation = 0;  // ms; the last in %
  std::vector<std::pair<double, double>> percentiles;                            // (p, ms)
  double throughput = 0;               // runs per second: runs / (last end - first begin)
  double wall_s = 0;
};
Summary summarize(const Timing& timing, const std::vector<double>& percentiles);

// trtexec's report: "=== Performance summary ===", Throughput, Latency, ... one line each, without prefixes. `batch` adds items/s.
std::vector<std::string> report_lines(const Timing& timing, const TimingOptions& options, int64_t batch);

}  // namespace octet::profile
