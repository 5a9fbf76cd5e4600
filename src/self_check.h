// A build ends with a self-check: each distinct (kernel, problem) of the plan runs once on this machine and is judged against
// the exact reference of its step (oracle/). A kernel that is wrong here must never reach a user silently.
#pragma once
#include <memory>

#include "runtime/backend.h"

namespace octet {

// Returns how many distinct pairs were checked. Throws Error{kInternal} naming kernel, problem and the first wrong element.
int self_check(const std::shared_ptr<const plan::Plan>& plan, int threads);

// The same for the kernels of `backend`: at batch 1, with the plan's weights and random inputs, on a few output rows each.
int self_check(const plan::Plan& plan, const Backend& backend, int threads);

}  // namespace octet
