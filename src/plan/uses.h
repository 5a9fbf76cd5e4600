// Which buffers and weights an operation touches.
#pragma once
#include <vector>

#include "plan/plan.h"

namespace octet::plan {

std::vector<Id> reads_of(const Operation& op);    // buffers, in field order; absent ones left out; q, k, v may repeat one
Id out_of(const Operation& op);                   // the one buffer it writes
std::vector<Id> weights_of(const Operation& op);  // in field order; absent ones left out
// How many values an integer buffer that `op` reads can sensibly hold, counted from 0: the rows of the table it indexes, 2 for a mask;
// 0 if there is no such bound.
int64_t table_rows(const Plan& plan, const Operation& op, Id buffer);

}  // namespace octet::plan
