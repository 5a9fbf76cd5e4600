#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace octet {
namespace {

std::vector<int> affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &set)) cores.push_back(core);
  if (cores.empty()) cores.push_back(0);
  return cores;
}

// cgroup v2 cpu.max is "QUOTA PERIOD" or "max PERIOD"; 0 when unlimited or unreadable.
int cgroup_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::max(1, static_cast<int>(std::stod(quota) / period + 0.999));
}

// How long a worker spins before it sleeps: steps follow each other within microseconds during a run.
constexpr int kSpins = 20000;

}  // namespace

int usable_cores() {
  const int cores = static_cast<int>(affinity_cores().size());
  const int quota = cgroup_cores();
  return quota > 0 ? std::min(cores, quota) : cores;
}

struct ThreadPool::State {
  std::vector<std::thread> workers;
  std::atomic<uint64_t> generation{0};
  std::atomic<int> remaining{0};
  std::atomic<bool> stop{false};
  void (*body)(void*, int) = nullptr;
  void* context = nullptr;
  int threads = 1;

  void work(int thread) {
    uint64_t seen = 0;
    for (;;) {
      uint64_t now = generation.load(std::memory_order_acquire);
      for (int spin = 0; now == seen && spin < kSpins; ++spin) {
        __builtin_ia32_pause();
        now = generation.load(std::memory_order_acquire);
      }
      if (now == seen) {
        generation.wait(seen, std::memory_order_acquire);
        continue;
      }
      seen = now;
      if (stop.load(std::memory_order_relaxed)) return;
      body(context, thread);
      if (remaining.fetch_sub(1, std::memory_order_acq_rel) == 1) remaining.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  state_->threads = std::max(1, threads);
  const std::vector<int> cores = affinity_cores();
  for (int t = 1; t < state_->threads; ++t) {
    state_->workers.emplace_back([state = state_.get(), t] { state->work(t); });
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cores[static_cast<size_t>(t) % cores.size()], &set);
    pthread_setaffinity_np(state_->workers.back().native_handle(), sizeof(set), &set);
  }
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->generation.fetch_add(1, std::memory_order_release);
  state_->generation.notify_all();
  for (auto& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const { return state_->threads; }

void ThreadPool::run(void (*body)(void*, int), void* context) {
  State& s = *state_;
  if (s.threads == 1) return body(context, 0);
  s.body = body;
  s.context = context;
  s.remaining.store(s.threads - 1, std::memory_order_relaxed);
  s.generation.fetch_add(1, std::memory_order_release);
  s.generation.notify_all();
  body(context, 0);
  for (int spin = 0; spin < kSpins; ++spin) {
    if (s.remaining.load(std::memory_order_acquire) == 0) return;
    __builtin_ia32_pause();
  }
  for (int left = s.remaining.load(std::memory_order_acquire); left != 0; left = s.remaining.load(std::memory_order_acquire))
    s.remaining.wait(left, std::memory_order_acquire);
}

Range share(int64_t count, int thread, int threads, int64_t block) {
  const int64_t blocks = (count + block - 1) / block;
  return {std::min(count, blocks * thread / threads * block), std::min(count, blocks * (thread + 1) / threads * block)};
}

}  // namespace octet
