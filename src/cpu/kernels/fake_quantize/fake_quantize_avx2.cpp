// fake_quantize on 8 lanes.
#include "cpu/kernels/fake_quantize/fake_quantize_inl.h"

namespace octet::cpu {

void fake_quantize_avx2(const FakeQuantizeProblem& p, const FakeQuantizeArgs& a, int64_t begin, int64_t end) {
  fake_quantize<Native>(p, a, begin, end);
}

}  // namespace octet::cpu
