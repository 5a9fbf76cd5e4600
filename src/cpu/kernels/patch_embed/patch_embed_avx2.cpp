// The rounding of patch embeddings on 8 lanes; their product is a GEMM row's.
#include "cpu/kernels/patch_embed/round_row.h"

namespace octet::cpu {

void round_row_avx2(const float* from, DType dtype, void* to, int64_t count) { round_row<Native>(from, dtype, to, count); }

}  // namespace octet::cpu
