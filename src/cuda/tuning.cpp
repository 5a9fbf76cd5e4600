#include "cuda/tuning.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/cache.h"
#include "base/hash.h"
#include "base/log.h"

namespace octet::cuda {
namespace {

std::string cache_name(const Gpu& gpu, const std::string& problem, std::span<const Tuning::Candidate> candidates) {
  std::string all = fmt::format("{}\n{}\n{}\n", gpu.name, gpu.driver_version, problem);
  for (const auto& candidate : candidates) all += candidate.name + " " + candidate.fingerprint + "\n";
  return "choice-" + hex(xxh3_128(std::as_bytes(std::span(all))));
}

constexpr double kClear = 0.99;  // of the best time so far: what is no faster than that is noise, and rows come best first
// Rounds in which every candidate is timed in its turn. Clocks fall as the GPU warms up, for all of them alike.
constexpr int kRounds = 7;

std::vector<double> medians_of_rounds(size_t candidates, const std::function<double(size_t)>& time) {
  std::vector<std::vector<double>> times(candidates);
  for (int round = 0; round < kRounds; ++round)
    for (size_t i = 0; i < candidates; ++i)
      if (times[i].empty() || std::isfinite(times[i].back())) times[i].push_back(time(i));
  std::vector<double> medians;
  for (auto& of : times) {
    const bool usable = std::isfinite(of.back());
    std::ranges::sort(of);
    medians.push_back(usable ? of[of.size() / 2] : std::numeric_limits<double>::infinity());
  }
  return medians;
}

}  // namespace

double milliseconds(const std::shared_ptr<Device>& device, const Stream& stream, const std::function<void()>& launch) {
  constexpr int kTimed = 4;
  const Event begin(device), end(device);
  launch();
  begin.record(stream);
  for (int i = 0; i < kTimed; ++i) launch();
  end.record(stream);
  stream.synchronize();
  return end.milliseconds_since(begin) / kTimed;
}

size_t Tuning::choose(const Gpu& gpu, const std::string& problem, std::span<const Candidate> candidates,
                      const std::function<double(size_t)>& time) {
  const std::lock_guard lock(mutex_);
  if (const auto known = chosen_.find(problem); known != chosen_.end()) return known->second;
  const std::string name = cache_name(gpu, problem, candidates);
  if (const auto bytes = read_cache(name)) {
    const std::string row(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    const auto found = std::ranges::find(candidates, row, &Candidate::name);
    if (found != candidates.end()) return chosen_[problem] = static_cast<size_t>(found - candidates.begin());
  }
  const std::vector<double> medians = medians_of_rounds(candidates.size(), time);
  std::string times;
  size_t best = 0;
  double best_ms = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double ms = medians[i];
    times += fmt::format("{}{} {:.4f} ms", i == 0 ? "" : ", ", candidates[i].name, ms);
    if (ms < kClear * best_ms) best = i, best_ms = ms;
  }
  log(Level::kInfo, "timed {}: {}", problem, times);
  write_cache(name, std::as_bytes(std::span(candidates[best].name)));
  return chosen_[problem] = best;
}

size_t Tuning::chosen(const std::string& problem) const {
  const std::lock_guard lock(mutex_);
  const auto known = chosen_.find(problem);
  return known == chosen_.end() ? 0 : known->second;
}
bool Tuning::knows(const std::string& problem) const {
  const std::lock_guard lock(mutex_);
  return chosen_.contains(problem);
}

}  // namespace octet::cuda
