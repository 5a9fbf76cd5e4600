// y[b,t,:] = round(token[ids[b,t],:] + position[t,:]); tables and y of one float dtype, ids i32 or i64.
// The caller has checked that ids lie in [0, vocabulary); kernels clamp them all the same, so that no read leaves the table.
#pragma once
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

struct EmbedProblem {
  DType ids = DType::i64, table = DType::f16;
  int64_t tokens = 0, cols = 0, vocabulary = 0;
};
struct EmbedArgs {
  Address ids = 0, token = 0, position = 0, y = 0;  // [batch, tokens], [vocabulary, cols], [tokens, cols], [batch, tokens, cols]
  int64_t batch = 0;
};
using EmbedKernel = KernelRow<EmbedProblem, EmbedArgs>;
std::span<const EmbedKernel> embed_kernels();

}  // namespace octet::cuda
