// A build ends with a self-check: each distinct (kernel, problem) of the plan runs once on this machine and is judged against
// the exact reference of its step (oracle/). A kernel that is wrong here must never reach a user silently.
#pragma once
#include <memory>

#include "plan/plan.h"

namespace octet {

// Returns how many distinct pairs were checked. Throws Error{kInternal} naming kernel, problem and the first wrong element.
int self_check(const std::shared_ptr<const plan::Plan>& plan, int threads);

}  // namespace octet
