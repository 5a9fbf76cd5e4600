// Each step's time on its own, as trtexec's --exportProfile writes it: a JSON array whose first element describes the profile and whose
// others are the layers in the plan's order. trtexec's fields keep their names and meaning; ours come after them.
//   {"count": runs, "batch": .., "device": "..", "engine": "..", "computeMs": median of whole runs, timed before without a profile,
//    "plainMs": likewise of those that took turns with the profiled ones, "stepsMs": median of what a profiled run's steps add up to}
//   {"name": step, "timeMs": sum over the runs, "averageMs": .., "medianMs": .., "percentage": of all layers' timeMs,
//    "kind": "gemm", "problem": plan::problem_of at the batch, "kernel": what ran}
#pragma once
#include <string>
#include <vector>

namespace octet::profile {

struct Layer {
  std::string name, kind, problem, kernel;
  std::vector<double> ms = {};  // of each run

  double total() const;
  double median() const;  // of an even number, the mean of the middle two
};
struct LayerProfile {
  int64_t batch = 0;
  std::string device, engine;
  double compute_ms = 0, plain_ms = 0;
  std::vector<Layer> layers = {};  // each with the same number of runs, at least one

  double total() const;     // over layers and runs
  double steps_ms() const;  // of one run: the median over the runs
};

std::string to_json(const LayerProfile& profile);

}  // namespace octet::profile
