// A pool of pinned threads for compute steps: one fork, one barrier a step; no allocation and no queue.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

namespace octet {

// Cores this process may use: the affinity mask, cut by the cgroup's CPU quota (rounded up). At least 1.
int usable_cores();

class ThreadPool {
 public:
  // The caller is thread 0; threads - 1 workers are started, each pinned to one core of the affinity mask.
  explicit ThreadPool(int threads = usable_cores());
  ~ThreadPool();
  int threads() const;
  // Calls body(context, t) for t in [0, threads) and returns when all are done. One caller at a time.
  // `body` must not throw. Workers spin briefly, then sleep.
  void run(void (*body)(void* context, int thread), void* context);
  template <class Body>
  void run(Body&& body) {
    run([](void* context, int thread) { (*static_cast<std::remove_reference_t<Body>*>(context))(thread); }, &body);
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Range {
  int64_t begin, end;
};
// The part of [0, count) that `thread` of `threads` owns, in blocks of `block`: contiguous, balanced, static.
Range share(int64_t count, int thread, int threads, int64_t block = 1);

}  // namespace octet
