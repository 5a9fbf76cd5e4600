#include "profile/timing_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace octet::profile {
namespace {

constexpr double kEnqueueBound = 0.8, kUnstable = 2.5;  // trtexec's thresholds

using Time = double (Run::*)() const;

class Writer {
 public:
  Writer(const Timing& timing, const TimingOptions& options, const ReportOptions& report)
      : timing_(timing), options_(options), report_(report), on_device_(!timing.runs.empty() && timing.runs.front().on_device()) {}

  std::vector<ReportLine> lines() {
    info("Warmup completed {} queries over {:.6g} ms", timing_.warm_up_runs, options_.warm_up_ms);
    info("Timing trace has {} queries over {:.6g} s", timing_.runs.size(), of(&Run::latency_ms).wall_s);
    if (timing_.runs.empty()) return std::move(lines_);
    averages();
    summary();
    ours();
    warnings();
    explanations();
    return std::move(lines_);
  }

 private:
  template <class... Args>
  void add(char level, fmt::format_string<Args...> format, Args&&... args) {
    lines_.push_back({level, fmt::format(format, std::forward<Args>(args)...)});
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    add('I', format, std::forward<Args>(args)...);
  }
  Summary of(Time time) const { return summarize(timing_, options_.percentiles, time); }
  void times(const char* name, Time time) {
    const Summary s = of(time);
    std::string line =
        fmt::format("{}: min = {:.6g} ms, max = {:.6g} ms, mean = {:.6g} ms, median = {:.6g} ms", name, s.min, s.max, s.mean, s.median);
    for (const auto& [p, value] : s.percentiles) line += fmt::format(", percentile({:g}%) = {:.6g} ms", p, value);
    info("{}", line);
  }

  void averages() {
    const auto count = static_cast<size_t>(report_.average_runs);
    if (count == 0) return;
    info("");
    info("=== Trace details ===");
    info("Trace averages of {} runs:", count);
    for (size_t begin = 0; begin + count <= timing_.runs.size(); begin += count) {
      double compute = 0, latency = 0, enqueue = 0;
      for (size_t i = begin; i < begin + count; ++i) {
        const Run& run = timing_.runs[i];
        compute += run.compute_ms(), latency += run.latency_ms(), enqueue += run.enqueue_ms();
      }
      const auto n = static_cast<double>(count);
      info("Average on {} runs - GPU latency: {:.6g} ms - Host latency: {:.6g} ms (enqueue {:.6g} ms)", count, compute / n, latency / n,
           enqueue / n);
    }
  }

  void summary() {
    const Summary latency = of(&Run::latency_ms);
    info("");
    info("=== Performance summary ===");
    info("Throughput: {:.6g} qps", latency.throughput);
    times("Latency", &Run::latency_ms);
    times("Enqueue Time", &Run::enqueue_ms);
    times("H2D Latency", &Run::h2d_ms);
    times("GPU Compute Time", &Run::compute_ms);
    times("D2H Latency", &Run::d2h_ms);
    info("Total Host Walltime: {:.6g} s", latency.wall_s);
    info("Total GPU Compute Time: {:.6g} s", of(&Run::compute_ms).mean * static_cast<double>(timing_.runs.size()) / 1000);
  }

  void ours() {
    info("Items per second: {:.6g} (batch {})", of(&Run::latency_ms).throughput * static_cast<double>(report_.batch), report_.batch);
    times("Wall Latency", &Run::wall_ms);
    if (!on_device_)
      info(
          "On the CPU nothing is transferred: H2D and D2H are 0, GPU Compute Time is the wall time of a run, and Enqueue Time what passes "
          "of "
          "it until the first step begins.");
  }

  void warnings() {
    const Summary compute = of(&Run::compute_ms);
    if (on_device_ && of(&Run::enqueue_ms).median > kEnqueueBound * compute.median)
      add('W', "* Handing over a run takes the host more than {:g} of the compute time: the GPU may wait for it.", kEnqueueBound);
    for (const auto& [time, what] : {std::pair{&Run::h2d_ms, "inputs to the GPU"}, {&Run::d2h_ms, "outputs from the GPU"}})
      if (on_device_ && of(time).median >= compute.median)
        add('W', "* Copying {} takes as long as the compute: --noDataTransfers leaves it out of the measurement.", what);
    if (compute.coefficient_of_variation > kUnstable)
      add('W', "* Compute time is unstable, with coefficient of variance = {:.6g}%. Other work may share the {}.",
          compute.coefficient_of_variation, on_device_ ? "GPU, or its clock varies" : "cores");
    if (report_.streams > 1)
      add('W', "* {} streams ran at a time: the latency of a run includes what it waited for the others; the throughput is reliable.",
          report_.streams);
  }

  void explanations() {
    if (lines_.empty()) return;
    for (const char* text :
         {"Throughput: runs over the wall time from the first counted run's beginning to the last one's end; a run counts once, whatever "
          "its batch.",
          "Latency: the sum of H2D, compute and D2H of a run by the device's clock. Wall Latency: the same run by the host's clock.",
          "Enqueue Time: for how long the host was busy handing a run to the device.",
          "percentile(p%): of the ascending times t[0..N), t[max(N - 1 - int((1 - p/100) N), 0)]. median: of an even count the mean of the "
          "middle two."})
      add('V', "{}", text);
  }

  const Timing& timing_;
  const TimingOptions& options_;
  const ReportOptions& report_;
  const bool on_device_;
  std::vector<ReportLine> lines_;
};

}  // namespace

std::vector<ReportLine> report_lines(const Timing& timing, const TimingOptions& options, const ReportOptions& report) {
  return Writer(timing, options, report).lines();
}

std::string times_json(const Timing& timing) {
  std::string text = "[";
  for (const Run& run : timing.runs) {
    const double copied = run.compute_begin_ms(), computed = copied + run.compute_ms(), end = computed + run.d2h_ms();
    const nlohmann::ordered_json json{{"startEnqMs", run.begin_ms}, {"endEnqMs", run.begin_ms + run.enqueue_ms()},
                                      {"startH2dMs", run.begin_ms}, {"endH2dMs", copied},
                                      {"startComputeMs", copied},   {"endComputeMs", computed},
                                      {"startD2hMs", computed},     {"endD2hMs", end},
                                      {"h2dMs", run.h2d_ms()},      {"computeMs", run.compute_ms()},
                                      {"d2hMs", run.d2h_ms()},      {"latencyMs", run.latency_ms()},
                                      {"wallMs", run.wall_ms()},    {"stream", run.stream}};
    text += (text.size() > 1 ? "\n, " : "\n  ") + json.dump();
  }
  return text + "\n]\n";
}

}  // namespace octet::profile
