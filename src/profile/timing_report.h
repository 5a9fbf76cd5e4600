// What trtexec prints and exports of a timing: its lines, in its order and spelling where tools read them (numbers of six significant
// digits), and its --exportTimes JSON. Ours follow its own: items a second, and the wall time of a run beside the idealised sum.
#pragma once
#include <string>
#include <vector>

#include "profile/timing.h"

namespace octet::profile {

struct ReportLine {
  char level;  // 'I' information, 'W' warning, 'V' verbose
  std::string text;
};
struct ReportOptions {
  int64_t batch = 1;      // items of a run
  int average_runs = 10;  // "Average on N runs" lines: one each N runs
  int streams = 1;
};

// The warm-up and trace, the averages, "=== Performance summary ===" and the warnings: the host is busy handing over for more than 0.8
// of the compute time, transfers as long as it, a coefficient of variation above 2.5 %, several streams. Without runs: the first two.
std::vector<ReportLine> report_lines(const Timing& timing, const TimingOptions& options, const ReportOptions& report);

// An array of {startEnqMs, endEnqMs, startH2dMs, endH2dMs, startComputeMs, endComputeMs, startD2hMs, endD2hMs, h2dMs, computeMs, d2hMs,
// latencyMs} as trtexec's, warm-ups left out, times since the first run; then ours: wallMs, stream.
std::string times_json(const Timing& timing);

}  // namespace octet::profile
