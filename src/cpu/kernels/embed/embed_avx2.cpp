// The embedding on 8 lanes.
#include "cpu/kernels/embed/embed_inl.h"

namespace octet::cpu {

void embed_rows_avx2(const EmbedProblem& p, const EmbedArgs& a, int64_t begin, int64_t end) { embed<Native>(p, a, begin, end); }

}  // namespace octet::cpu
