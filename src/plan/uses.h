// Which buffers and weights an operation touches.
#pragma once
#include <vector>

#include "plan/plan.h"

namespace octet::plan {

std::vector<Id> reads_of(const Operation& op);    // buffers, in field order; absent ones left out; q, k, v may repeat one
Id out_of(const Operation& op);                   // the one buffer it writes
std::vector<Id> weights_of(const Operation& op);  // in field order; absent ones left out

}  // namespace octet::plan
