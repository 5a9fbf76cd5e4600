// Times an engine as trtexec does (its 10.16 semantics): warm-up cut, at least `iterations` and `duration`, its percentile formula,
// median, coefficient of variation. On the CPU there are no transfers: latency = compute = the wall time of one run, and enqueue is what
// passes of it until its first step begins. On a GPU transfers and compute are timed by its own events, a run at a time: trtexec's numbers
// with --useSpinWait and one stream, without its overlap of one run's transfers with the next one's compute. Next: timing_report.h (what is
// printed).
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/backend.h"

namespace octet::profile {

struct TimingOptions {
  double warm_up_ms = 200;  // runs whose compute begins before this are not counted
  double duration_s = 3;    // at least; measured from the end of the warm-up. Negative: until the process is stopped
  int iterations = 10;      // at least
  double idle_ms = 0;       // slept between runs
  std::vector<double> percentiles{90, 95, 99};
};

struct Run {
  double begin_ms, end_ms;                           // since the first run, by the host's clock
  std::optional<DeviceTimes> device = std::nullopt;  // by the device's own clock; on the CPU by the backend
  int stream = 0;                                    // of several that ran at a time

  double wall_ms() const { return end_ms - begin_ms; }
  // trtexec's latency is the sum of the device's times; without transfers it is the wall time.
  double latency_ms() const { return on_device() ? device->h2d_ms + device->compute_ms + device->d2h_ms : wall_ms(); }
  double compute_ms() const { return on_device() ? device->compute_ms : wall_ms(); }
  double h2d_ms() const { return device ? device->h2d_ms : 0; }
  double d2h_ms() const { return device ? device->d2h_ms : 0; }
  double enqueue_ms() const { return device ? device->enqueue_ms : 0; }
  bool on_device() const { return device && !device->on_host; }
  double compute_begin_ms() const { return begin_ms + h2d_ms(); }
};
struct Timing {
  std::vector<Run> runs;  // counted runs only, by their beginning
  int warm_up_runs = 0;
  double warm_up_ms = 0;  // when the last of them ended
};

// `run` runs once and says what the device took, if it knows. `clock` gives milliseconds; its first value is time 0.
using Clock = std::function<double()>;
Timing measure(const std::function<std::optional<DeviceTimes>()>& run, const TimingOptions& options, const Clock& clock = {});
// What several streams measured at a time by one clock, as one: runs in the order of their beginning, numbered by stream.
Timing merge(std::span<const Timing> streams);

struct Summary {
  double min = 0, max = 0, mean = 0, median = 0, coefficient_of_variation = 0;  // ms; the last in %
  std::vector<std::pair<double, double>> percentiles;                           // (p, ms)
  double throughput = 0;                                                        // runs per second: runs / (last end - first begin)
  double wall_s = 0;
};
// Of one time of every run: its latency if not told otherwise.
Summary summarize(const Timing& timing, const std::vector<double>& percentiles,
                  const std::function<double(const Run&)>& time = &Run::latency_ms);

}  // namespace octet::profile
