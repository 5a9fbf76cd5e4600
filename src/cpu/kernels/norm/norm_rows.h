// The instruction-set entries of LayerNorm, each over rows [begin, end); norm.cpp lists them. All run norm_inl.h.
#pragma once
#include "cpu/kernels/norm/norm.h"

namespace octet::cpu {

void norm_rows_portable(const NormProblem& problem, const NormArgs& args, int64_t begin, int64_t end);
void norm_rows_avx2(const NormProblem& problem, const NormArgs& args, int64_t begin, int64_t end);
void norm_rows_avx512(const NormProblem& problem, const NormArgs& args, int64_t begin, int64_t end);

}  // namespace octet::cpu
