#include "profile/timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

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

double median_of(const std::vector<double>& ascending) {
  const size_t n = ascending.size();
  return n % 2 ? ascending[n / 2] : (ascending[n / 2 - 1] + ascending[n / 2]) / 2;
}

}  // namespace

Timing measure(const std::function<std::optional<DeviceTimes>()>& run, const TimingOptions& options) {
  using clock = std::chrono::steady_clock;
  Timing timing;
  const auto start = clock::now();
  const auto ms = [&](clock::time_point t) { return std::chrono::duration<double, std::milli>(t - start).count(); };
  const double stop = options.warm_up_ms + options.duration_s * 1000;
  for (double begin = 0; static_cast<int>(timing.runs.size()) < options.iterations || begin < stop;) {
    begin = ms(clock::now());
    const auto device = run();
    const double end = ms(clock::now());
    if (begin < options.warm_up_ms) ++timing.warm_up_runs, timing.warm_up_ms = end;
    else timing.runs.push_back({begin, end, device});
  }
  return timing;
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
  s.wall_s = (timing.runs.back().end_ms - timing.runs.front().begin_ms) / 1000;
  s.throughput = s.wall_s > 0 ? n / s.wall_s : 0;
  return s;
}

std::vector<std::string> report_lines(const Timing& timing, const TimingOptions& options, int64_t batch) {
  const bool on_device = !timing.runs.empty() && timing.runs.front().device.has_value();
  const auto part = [](double DeviceTimes::*time) { return [time](const Run& run) { return run.device ? (*run.device).*time : 0; }; };
  const Summary s = summarize(timing, options.percentiles);
  const Summary compute = on_device ? summarize(timing, options.percentiles, part(&DeviceTimes::compute_ms)) : s;
  const auto line = [](const char* name, const Summary& of) {
    std::string out =
        fmt::format("{}: min = {:.5g} ms, max = {:.5g} ms, mean = {:.5g} ms, median = {:.5g} ms", name, of.min, of.max, of.mean, of.median);
    for (const auto& [p, value] : of.percentiles) out += fmt::format(", percentile({:g}%) = {:.5g} ms", p, value);
    return out;
  };
  const auto part_line = [&](const char* name, double DeviceTimes::*time) {
    return line(name, summarize(timing, options.percentiles, part(time)));
  };
  std::vector<std::string> lines;
  lines.push_back(fmt::format("Warmup completed {} queries over {:.0f} ms", timing.warm_up_runs, timing.warm_up_ms));
  lines.push_back(fmt::format("Timing trace has {} queries over {:.5g} s", timing.runs.size(), s.wall_s));
  lines.push_back("");
  lines.push_back("=== Performance summary ===");
  lines.push_back(fmt::format("Throughput: {:.6g} qps", s.throughput));
  lines.push_back(line("Latency", s));
  lines.push_back(part_line("Enqueue Time", &DeviceTimes::enqueue_ms));
  lines.push_back(part_line("H2D Latency", &DeviceTimes::h2d_ms));
  lines.push_back(line("GPU Compute Time", compute));
  lines.push_back(part_line("D2H Latency", &DeviceTimes::d2h_ms));
  lines.push_back(fmt::format("Total Host Walltime: {:.5g} s", s.wall_s));
  lines.push_back(fmt::format("Total GPU Compute Time: {:.5g} s", compute.mean * static_cast<double>(timing.runs.size()) / 1000));
  lines.push_back(fmt::format("Items per second: {:.6g} (batch {})", s.throughput * static_cast<double>(batch), batch));
  if (!on_device) lines.push_back("Note: on the CPU nothing is queued or transferred; compute is the wall time of one session run.");
  if (compute.coefficient_of_variation > 2.5)
    lines.push_back(fmt::format("* Compute time is unstable, with coefficient of variance = {:.4g}%. Other work may share the {}.",
                                compute.coefficient_of_variation, on_device ? "GPU, or its clock varies" : "cores"));
  return lines;
}

}  // namespace octet::profile
