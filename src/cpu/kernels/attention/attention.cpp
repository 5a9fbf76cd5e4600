// The table of attention kernels, best first, and the portable row. Next: attention_f32_inl.h (the plain way), attention_amx.cpp.
#include "cpu/kernels/attention/attention.h"

#include "cpu/isa.h"
#include "cpu/kernels/attention/attention_f32_inl.h"

namespace octet::cpu {
namespace {

Refusal accepts_any(const AttentionProblem& p) {
  const auto known = [](DType t) { return t == DType::e4m3 || t == DType::f16 || t == DType::bf16 || t == DType::f32; };
  if (!known(p.in) || !known(p.out)) return {fmt::format("attention of {} to {}", name_of(p.in), name_of(p.out))};
  if (p.tokens <= 0 || p.heads <= 0 || p.head_dim <= 0)
    return {fmt::format("attention of {} tokens, {} heads of {}", p.tokens, p.heads, p.head_dim)};
  return {};
}

constexpr AttentionKernel kKernels[] = {
    {"attention_any_any_f32_avx512", kAvx512, accepts_any, attention_scratch_avx512, run_attention_avx512},
    {"attention_any_any_f32_portable", kPortable, accepts_any, attention_scratch_portable, run_attention_portable},
};

}  // namespace

size_t attention_scratch_portable(const AttentionProblem& p) { return attention_f32_scratch(p); }
void run_attention_portable(const AttentionProblem& p, const AttentionArgs& a, int thread, int threads) {
  run_attention_f32(p, a, thread, threads);
}

std::span<const AttentionKernel> attention_kernels() { return kKernels; }

}  // namespace octet::cpu
