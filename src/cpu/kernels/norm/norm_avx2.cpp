// LayerNorm on 8 lanes.
#include "cpu/kernels/norm/norm_inl.h"

namespace octet::cpu {

void norm_rows_avx2(const NormProblem& p, const NormArgs& a, int64_t begin, int64_t end) { norm<Native>(p, a, begin, end); }

}  // namespace octet::cpu
