#include "cpu/machine.h"

#include <cpuid.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "base/text.h"
#include "cpu/kernels/attention/attention.h"
#include "cpu/kernels/gemm/gemm.h"
#include "cpu/steps/step.h"
#include "numeric/convert.h"

namespace octet::cpu {
namespace {

AlignedBytes random_matrix(DType type, int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  constexpr size_t kPeriod = 8191;  // a prime: rows differ
  std::vector<float> drawn(kPeriod), values(static_cast<size_t>(count));
  for (float& value : drawn) value = normal(random);
  for (size_t i = 0; i < values.size(); ++i) values[i] = drawn[i % kPeriod];
  AlignedBytes bytes(values.size() * size_of(type));
  encode_many(type, values.data(), count, bytes.data());
  return bytes;
}

// Operands, packed weights and scratch of one GEMM, ready to run.
class Workload {
 public:
  Workload(const GemmKernel& kernel, const GemmProblem& problem, int64_t m, int threads)
      : kernel_(kernel),
        problem_(problem),
        m_(m),
        pool_(threads),
        a_(random_matrix(problem.a, m * problem.k, 1)),
        packed_(kernel.packed_bytes(problem)),
        out_(static_cast<size_t>(m * problem.n) * size_of(problem.out)),
        stride_(round_up(kernel.scratch_bytes(problem, m, threads), 64) + 64),
        scratch_(stride_ * static_cast<size_t>(threads)),
        alpha_(static_cast<size_t>(problem.n), 0.01f),
        ones_(alpha_.size(), 1.0f),
        zeros_(alpha_.size()) {
    kernel.pack(problem, random_matrix(problem.w, problem.n * problem.k, 2).data(), packed_.data());
  }
  double seconds() {
    const GemmArgs args{a_.data(),    m_,           packed_.data(), alpha_.data(), zeros_.data(),
                        ones_.data(), ones_.data(), nullptr,        out_.data(),   nullptr};
    const auto begin = std::chrono::steady_clock::now();
    pool_.run([&](int thread) {
      GemmArgs mine = args;
      mine.scratch = scratch_.data() + stride_ * static_cast<size_t>(thread);
      kernel_.run(problem_, mine, thread, pool_.threads());
    });
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  const GemmKernel& kernel_;
  GemmProblem problem_;
  int64_t m_;
  ThreadPool pool_;
  AlignedBytes a_, packed_, out_;
  size_t stride_;
  AlignedBytes scratch_;
  std::vector<float> alpha_, ones_, zeros_;
};

}  // namespace

std::string cpu_model() {
  unsigned registers[12] = {};
  if (__get_cpuid_max(0x80000000, nullptr) < 0x80000004) return "unknown x86 CPU";
  for (unsigned i = 0; i < 3; ++i)
    __get_cpuid(0x80000002 + i, &registers[4 * i], &registers[4 * i + 1], &registers[4 * i + 2], &registers[4 * i + 3]);
  char text[sizeof registers + 1] = {};
  std::memcpy(text, registers, sizeof registers);
  const std::string name(trim(text));
  return name.empty() ? "unknown x86 CPU" : printable(name);
}

GemmRate measure_gemm(DType type, DType out, int64_t m, int64_t n, int64_t k, int threads, double seconds) {
  GemmRate rate{type, out, m, n, k, {}, threads > 0 ? threads : usable_cores(), 0, 0, 0};
  const GemmProblem problem{type, type, out, n, k, Act::kNone, false};
  rate.choice.problem = fmt::format("gemm:{}x{}->{}:{}x{}x{}", type, type, out, m, n, k);
  Workload work(choose(gemm_kernels(), problem, rate.choice), problem, m, rate.threads);
  work.seconds();
  std::vector<double> times;
  for (double total = 0; total < seconds || times.size() < 3; total += times.back()) times.push_back(work.seconds());
  std::sort(times.begin(), times.end());
  const double tera = 2e-12 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  rate.runs = static_cast<int>(times.size());
  rate.median_tflops = tera / times[times.size() / 2];
  rate.best_tflops = tera / times.front();
  return rate;
}

StepChoice choose_attention(DType in, DType out) {
  StepChoice choice;
  choice.problem = fmt::format("attention:{}->{}:1x16x257x64", in, out);
  choose(attention_kernels(), AttentionProblem{in, out, 257, 16, 64, false, in == DType::e4m3}, choice);
  return choice;
}

}  // namespace octet::cpu
