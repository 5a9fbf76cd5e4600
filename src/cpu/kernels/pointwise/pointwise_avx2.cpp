// The pointwise step on 8 lanes.
#include "cpu/kernels/pointwise/pointwise_inl.h"

namespace octet::cpu {

void pointwise_rows_avx2(const PointwiseProblem& p, const PointwiseArgs& a, int64_t begin, int64_t end) {
  pointwise<Native>(p, a, begin, end);
}

}  // namespace octet::cpu
