// Which of several kernels that all give the same result is the fastest for a problem: measured once, remembered by the process and
// in the user's cache (base/cache.h) for this GPU, driver and code.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>

#include "cuda/device.h"

namespace octet::cuda {

// Times what `launch` enqueues, in milliseconds, on an otherwise idle stream.
double milliseconds(const std::shared_ptr<Device>& device, const Stream& stream, const std::function<void()>& launch);

class Tuning {
 public:
  struct Candidate {
    std::string name, fingerprint;  // of the row; of its code (cuda/program.h)
  };
  // The index of the fastest by the median of several rounds. `time(i)` measures candidate i, infinity if it is not to be used; it is
  // called only if nothing is known of `problem`.
  size_t choose(const Gpu& gpu, const std::string& problem, std::span<const Candidate> candidates,
                const std::function<double(size_t)>& time);
  size_t chosen(const std::string& problem) const;  // 0 before choose()
  bool knows(const std::string& problem) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, size_t> chosen_;
};

}  // namespace octet::cuda
