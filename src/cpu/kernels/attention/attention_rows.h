// The instruction-set entries of attention; attention.cpp lists them. Internal to the family.
// The f32 ones (attention_f32_inl.h) take any dtype; the AMX one (attention_amx.cpp) the 8- and 16-bit ones; attention_avx512bf16.cpp e4m3
// with quantized p and bf16.
#pragma once
#include "cpu/kernels/attention/attention.h"

namespace octet::cpu {

using AttentionRun = void(const AttentionProblem&, const AttentionArgs&, int thread, int threads);
using AttentionScratch = size_t(const AttentionProblem&);

AttentionRun run_attention_portable, run_attention_avx2, run_attention_avx512, run_attention_avx512bf16, run_attention_amx;
AttentionScratch attention_scratch_portable, attention_scratch_avx2, attention_scratch_avx512, attention_scratch_avx512bf16,
    attention_scratch_amx;

}  // namespace octet::cpu
