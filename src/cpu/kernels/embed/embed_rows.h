// The instruction-set entries of the embedding, over rows [begin, end) of batch * tokens whose ids are already known to be valid.
// All run embed_inl.h; embed.cpp checks the ids and lists the rows.
#pragma once
#include "cpu/kernels/embed/embed.h"

namespace octet::cpu {

void embed_rows_portable(const EmbedProblem& problem, const EmbedArgs& args, int64_t begin, int64_t end);
void embed_rows_avx2(const EmbedProblem& problem, const EmbedArgs& args, int64_t begin, int64_t end);
void embed_rows_avx512(const EmbedProblem& problem, const EmbedArgs& args, int64_t begin, int64_t end);

}  // namespace octet::cpu
