// The CPU backend: chooses a kernel row for every step of a plan, packs the weights, runs the steps on a pinned pool.
// Next: cpu/steps/step.h (one prepared step), cpu/kernels/*/ (the kernels), cpu/isa.h (what the machine has).
#pragma once
#include <memory>

#include "runtime/backend.h"

namespace octet::cpu {

std::unique_ptr<Backend> make_backend();

}  // namespace octet::cpu
