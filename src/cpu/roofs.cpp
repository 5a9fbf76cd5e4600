#include "cpu/roofs.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/roofs_probes.h"

namespace octet::cpu {

// Baseline x86-64 has no FMA: a product and a sum.
void probe_sse2(int rounds) {
  for (int i = 0; i < rounds; ++i)
    __asm__ volatile(
        "mulps %%xmm12, %%xmm0\n addps %%xmm12, %%xmm1\n mulps %%xmm12, %%xmm2\n addps %%xmm12, %%xmm3\n"
        "mulps %%xmm12, %%xmm4\n addps %%xmm12, %%xmm5\n mulps %%xmm12, %%xmm6\n addps %%xmm12, %%xmm7\n"
        "mulps %%xmm12, %%xmm8\n addps %%xmm12, %%xmm9\n mulps %%xmm12, %%xmm10\n addps %%xmm12, %%xmm11\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12");
}

namespace {

struct Probe {
  std::string_view name;
  uint32_t isa;
  void (*run)(int rounds);
  double flops;  // of a round
};
constexpr Probe kProbes[] = {
    {"AMX bf16", kAmx, probe_amx, 4 * 2.0 * 16 * 16 * 32}, {"AVX-512 bf16", kAvx512Bf16, probe_avx512bf16, 12 * 64.0},
    {"AVX-512 f32", kAvx512, probe_avx512, 12 * 32.0},     {"AVX2 f32", kAvx2, probe_avx2, 12 * 16.0},
    {"SSE2 f32", kPortable, probe_sse2, 12 * 4.0},
};
constexpr int kTrials = 5;  // the fastest counts: interruptions only slow down
constexpr double kFlopsATrial = 2e9;
constexpr size_t kMemoryBytes = size_t{256} << 20;  // beyond the last cache of any machine this runs on

double seconds_of(auto&& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double rate_of(const Probe& probe, ThreadPool& pool) {
  // AMX: 20 us a trial would be too short to time; the others take a few ms.
  const int rounds = static_cast<int>(std::max(kFlopsATrial, probe.flops * 20000) / probe.flops);
  double best = 1e30;
  for (int trial = 0; trial < kTrials; ++trial) best = std::min(best, seconds_of([&] { pool.run([&](int) { probe.run(rounds); }); }));
  return probe.flops * rounds * pool.threads() / best;
}

double memory_rate(ThreadPool& pool) {
  AlignedBytes bytes(kMemoryBytes);
  const auto* words = reinterpret_cast<const uint64_t*>(bytes.data());
  pool.run([&](int thread) {  // first touch
    const Range mine = share(static_cast<int64_t>(kMemoryBytes), thread, pool.threads(), 4096);
    std::fill(bytes.data() + mine.begin, bytes.data() + mine.end, std::byte{1});
  });
  double best = 1e30;
  std::vector<uint64_t> sums(static_cast<size_t>(pool.threads()) * 8);  // a line a thread
  for (int trial = 0; trial < kTrials; ++trial)
    best = std::min(best, seconds_of([&] {
                      pool.run([&](int thread) {
                        const Range mine = share(static_cast<int64_t>(kMemoryBytes / 8), thread, pool.threads(), 512);
                        uint64_t sum = 0;
                        for (int64_t i = mine.begin; i < mine.end; ++i) sum += words[i];
                        sums[static_cast<size_t>(thread) * 8] += sum;
                      });
                    }));
  return static_cast<double>(kMemoryBytes) / best;
}

}  // namespace

std::vector<Roof> measure_roofs(int threads) {
  ThreadPool pool(threads > 0 ? threads : usable_cores());
  std::vector<Roof> roofs;
  for (const Probe& probe : kProbes)
    if ((probe.isa & ~usable_isa()) == 0) roofs.push_back({std::string(probe.name), rate_of(probe, pool)});
  roofs.push_back({"memory", memory_rate(pool)});
  return roofs;
}

RoofOf roof_of(std::string_view kernel) {
  const bool split = kernel.find("_bf16x4_") != std::string_view::npos;
  const double products = !split ? 1 : kernel.starts_with("attention_") ? 3.5 : 4;
  if (kernel.ends_with("_amx")) return {"AMX bf16", products};
  if (kernel.ends_with("_avx512bf16")) return {"AVX-512 bf16"};
  if (kernel.ends_with("_avx512")) return {"AVX-512 f32"};
  if (kernel.ends_with("_avx2")) return {"AVX2 f32"};
  return {"SSE2 f32"};
}

}  // namespace octet::cpu
