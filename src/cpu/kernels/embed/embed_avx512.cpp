// The embedding on 16 lanes.
#include "cpu/kernels/embed/embed_inl.h"
#include "cpu/simd/f32x16_avx512.h"

namespace octet::cpu {

void embed_rows_avx512(const EmbedProblem& p, const EmbedArgs& a, int64_t begin, int64_t end) { embed<F32x16>(p, a, begin, end); }

}  // namespace octet::cpu
