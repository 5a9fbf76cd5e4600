// What the kernel benchmarks share: options, memory, and the timing of one run over a pool. Benchmark code only; prints to stdout.
//   NAME_bench [--kernel=SUBSTRING] [--threads=N] [--seconds=S] PROBLEM...      PROBLEM as in octet's reports (plan::problem_of)
#pragma once
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "numeric/convert.h"

namespace octet::cpu::kernel_bench {

struct Options {
  std::string kernel;
  int threads = usable_cores();
  double seconds = 0.5;
};

// Normal values of the given deviation, as `dtype`.
inline AlignedBytes random_values(DType dtype, int64_t count, float deviation) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& x : values) x = normal(engine);
  AlignedBytes bytes(values.size() * size_of(dtype));
  encode_many(dtype, values.data(), count, bytes.data());
  return bytes;
}

// "NAME:IN->OUT:ROWSxCOLS", as plan::problem_of writes steps that work on rows.
struct RowsProblem {
  DType in, out;
  int64_t rows, cols;
};
inline std::optional<RowsProblem> parse_rows(const std::string& text, std::string_view name) {
  char in_name[8], out_name[8];
  long rows, cols;
  if (text.rfind(std::string(name) + ":", 0) != 0) return std::nullopt;
  if (std::sscanf(text.c_str() + name.size(), ":%7[a-z0-9]->%7[a-z0-9]:%ldx%ld", in_name, out_name, &rows, &cols) != 4) return std::nullopt;
  const auto in = parse_dtype(in_name), out = parse_dtype(out_name);
  if (!in || !out) return std::nullopt;
  return RowsProblem{*in, *out, rows, cols};
}

inline double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Median and best time of body(thread) over the pool, at least five runs; and the best CPU time a thread, which is what to compare
// on a machine that does other work.
template <class Body>
void time_kernel(std::string_view name, const Options& options, double work, const char* unit, Body&& body) {
  ThreadPool pool(options.threads);
  std::vector<double> times;
  double total = 0, best_cpu = 1e9;
  while (total < options.seconds || times.size() < 5) {
    const auto start = std::chrono::steady_clock::now();
    const double cpu = cpu_seconds();
    pool.run(body);
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    best_cpu = std::min(best_cpu, (cpu_seconds() - cpu) / options.threads);
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  std::printf("  %-36s %9.3f ms median  %9.3f best  %9.3f cpu  %8.3f %s\n", std::string(name).c_str(), median * 1e3, times[0] * 1e3,
              best_cpu * 1e3, work / median * 1e-9, unit);
  std::fflush(stdout);
}

// Runs `problem(text, options)` (false: cannot read it) for every PROBLEM, or for `usual` when none is given.
template <class Problem>
int bench_main(int argc, char** argv, std::vector<std::string> usual, Problem&& problem) {
  Options options;
  std::vector<std::string> problems;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg.rfind("--kernel=", 0) == 0) {
      options.kernel = arg.substr(9);
    } else if (arg.rfind("--threads=", 0) == 0) {
      options.threads = std::max(1, std::atoi(arg.c_str() + 10));
    } else if (arg.rfind("--seconds=", 0) == 0) {
      options.seconds = std::atof(arg.c_str() + 10);
    } else {
      problems.push_back(arg);
    }
  }
  for (const std::string& text : problems.empty() ? usual : problems) {
    std::printf("%s  threads=%d\n", text.c_str(), options.threads);
    if (problem(text, options)) continue;
    std::fprintf(stderr, "cannot read the problem \"%s\"\n", text.c_str());
    return 2;
  }
  return 0;
}

template <class Row, class P>
bool wanted(const Row& row, const P& problem, const Options& options) {
  return (row.isa & ~usable_isa()) == 0 && row.name.find(options.kernel) != std::string_view::npos && !row.accepts(problem);
}

}  // namespace octet::cpu::kernel_bench
