// What a step has to do, from its plan alone.
#pragma once
#include <string>

#include "plan/plan.h"

namespace octet::profile {

struct Work {
  std::string category;   // of kCategories
  std::string precision;  // of its products, or of its input
  double flops = 0;       // a run of `batch` items; 2 a multiply-add
  uint64_t bytes = 0, weight_bytes = 0;
  bool products = false;  // it multiplies matrices: FP8 could make it faster
};
Work work_of(const plan::Plan& plan, const plan::Operation& op, int64_t batch);

}  // namespace octet::profile
