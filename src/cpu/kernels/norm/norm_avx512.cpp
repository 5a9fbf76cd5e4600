// LayerNorm on 16 lanes. Measured in norm_bench.cpp.
#include "cpu/kernels/norm/norm_inl.h"

namespace octet::cpu {

void norm_rows_avx512(const NormProblem& p, const NormArgs& a, int64_t begin, int64_t end) { norm<Native>(p, a, begin, end); }

}  // namespace octet::cpu
