// One engine's measurement for `octet profile`: timed as exec times it, then step by step.
#pragma once
#include "engine_io.h"
#include "npy_inputs.h"
#include "profile/collect.h"

namespace octet::cli {

struct ProfileOptions {
  std::vector<std::string> inputs;  // NAME=FILE.npy; else random, as exec times with
  std::string shapes;
  int64_t batch = 1;
  profile::TimingOptions timing;
  profile::StepTimingOptions steps;
  bool stats = false;
  int64_t stats_rows = 64;
  DeviceOptions device;
  std::string command;
};
struct ProfiledEngine {
  profile::Engine data;
  profile::StepTimes times;
};

// Attaching the profiler must change nothing: one run with a hook gives the bytes of one without, else Error{kInternal}.
void check_outputs(const Engine& engine, Context& context, int64_t batch, const Bound& bound, const Tensors& tensors);

// `number`: 0 for A. Throws Error{kInternal} should outputs under the profiler differ from those without it.
ProfiledEngine profile_engine(const std::string& file, size_t number, const ProfileOptions& options);

}  // namespace octet::cli
