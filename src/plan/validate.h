// Every invariant a plan must hold before a backend may trust it: ids in range, dims agree, ranges cover, buffers fit the
// arena and do not overlap while live, floats finite and scales positive. Throws Error{kInvalid} naming the step.
#pragma once
#include "plan/plan.h"

namespace octet::plan {
void validate(const Plan& plan);
}
