// Attention in f32 FMAs for AVX2 machines without AMX.
#include "cpu/kernels/attention/attention_f32_inl.h"

namespace octet::cpu {

size_t attention_scratch_avx2(const AttentionProblem& p) { return attention_f32_scratch(p); }
void run_attention_avx2(const AttentionProblem& p, const AttentionArgs& a, int thread, int threads) {
  run_attention_f32(p, a, thread, threads);
}

}  // namespace octet::cpu
