#include "profile/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>

#include "profile/estimate.h"

namespace octet::profile {
namespace {

std::vector<double> sorted(const Timing& timing, const std::function<double(const Run&)>& time) {
  std::vector<double> ms;
  for (const Run& run : timing.runs) ms.push_back(time(run));
  std::sort(ms.begin(), ms.end());
  return ms;
}

// trtexec: exclude = (int)((1 - p/100) * N) in f32; the value at max(N - 1 - exclude, 0) of the ascending times.
double percentile(const std::vector<double>& ascending, double p) {
  const auto n = static_cast<int64_t>(ascending.size());
  const auto exclude = static_cast<int64_t>((1 - static_cast<float>(p) / 100) * static_cast<float>(n));
  return ascending[static_cast<size_t>(std::max<int64_t>(n - 1 - exclude, 0))];
}

double steady_ms() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

Timing measure(const std::function<std::optional<DeviceTimes>()>& run, const TimingOptions& options, const Clock& clock) {
  const Clock& now = clock ? clock : Clock(steady_ms);
  Timing timing;
  const double start = now();
  const double stop = options.warm_up_ms + options.duration_s * 1000;
  for (double last = 0; options.duration_s < 0 || static_cast<int>(timing.runs.size()) < options.iterations || last < stop;) {
    const double begin = now() - start;
    const auto device = run();
    const Run done{begin, now() - start, device};
    last = done.compute_begin_ms();
    if (last < options.warm_up_ms) ++timing.warm_up_runs, timing.warm_up_ms = done.end_ms;
    else timing.runs.push_back(done);
    if (options.idle_ms > 0) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(options.idle_ms));
  }
  return timing;
}

Timing merge(std::span<const Timing> streams) {
  Timing all;
  for (size_t i = 0; i < streams.size(); ++i) {
    all.warm_up_runs += streams[i].warm_up_runs;
    all.warm_up_ms = std::max(all.warm_up_ms, streams[i].warm_up_ms);
    for (Run run : streams[i].runs) run.stream = static_cast<int>(i), all.runs.push_back(run);
  }
  std::stable_sort(all.runs.begin(), all.runs.end(), [](const Run& a, const Run& b) { return a.begin_ms < b.begin_ms; });
  return all;
}

Summary summarize(const Timing& timing, const std::vector<double>& percentiles, const std::function<double(const Run&)>& time) {
  const std::vector<double> ms = sorted(timing, time);
  Summary s;
  if (ms.empty()) return s;
  const auto n = static_cast<double>(ms.size());
  s.min = ms.front();
  s.max = ms.back();
  s.mean = std::accumulate(ms.begin(), ms.end(), 0.0) / n;
  s.median = median_of(ms);
  double squares = 0;
  for (const double x : ms) squares += (x - s.mean) * (x - s.mean);
  s.coefficient_of_variation = s.mean > 0 ? 100 * std::sqrt(squares / n) / s.mean : 0;
  for (const double p : percentiles) s.percentiles.emplace_back(p, percentile(ms, p));
  double end = 0;  // of several streams the last to begin need not be the last to end
  for (const Run& run : timing.runs) end = std::max(end, run.end_ms);
  s.wall_s = (end - timing.runs.front().begin_ms) / 1000;
  s.throughput = s.wall_s > 0 ? n / s.wall_s : 0;
  return s;
}

}  // namespace octet::profile
