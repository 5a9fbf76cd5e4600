// The instruction-set entries of the pointwise step, over rows [begin, end). All run pointwise_inl.h; pointwise.cpp lists them.
#pragma once
#include "cpu/kernels/pointwise/pointwise.h"

namespace octet::cpu {

void pointwise_rows_portable(const PointwiseProblem& problem, const PointwiseArgs& args, int64_t begin, int64_t end);
void pointwise_rows_avx2(const PointwiseProblem& problem, const PointwiseArgs& args, int64_t begin, int64_t end);
void pointwise_rows_avx512(const PointwiseProblem& problem, const PointwiseArgs& args, int64_t begin, int64_t end);

}  // namespace octet::cpu
