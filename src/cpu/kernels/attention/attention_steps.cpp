// The tables of unfused attention, best first, and the portable rows.
#include "cpu/kernels/attention/attention_steps.h"

#include "cpu/isa.h"
#include "cpu/kernels/attention/attention_steps_inl.h"

OCTET_ATTENTION_STEPS(portable)

namespace octet::cpu {
namespace {

bool known(DType t) { return t == DType::e4m3 || t == DType::f16 || t == DType::bf16 || t == DType::f32; }

Refusal accepts_any(const AttentionProblem& p) {
  if (!known(p.in) || !known(p.out)) return {fmt::format("{} to {}", name_of(p.in), name_of(p.out))};
  if (p.tokens <= 0 || p.heads <= 0 || p.head_dim <= 0) return {fmt::format("{} tokens, {} heads of {}", p.tokens, p.heads, p.head_dim)};
  return {};
}
template <DType kIn>
Refusal accepts_tiles(const AttentionProblem& p) {
  if (Refusal no = accepts_any(p)) return no;
  if (p.in != kIn) return {fmt::format("takes {}", name_of(kIn))};
  if (p.head_dim % 8 != 0 || p.head_dim > 256) return {fmt::format("head_dim {} is not a multiple of 8 up to 256", p.head_dim)};
  return {};
}

constexpr ScoresKernel kScores[] = {
    {"scores_e4m3_any_bf16_amx", kAmx | kAvx512, accepts_tiles<DType::e4m3>, scratch_steps_amx, run_scores_amx},
    {"scores_bf16_any_bf16_amx", kAmx | kAvx512, accepts_tiles<DType::bf16>, scratch_steps_amx, run_scores_amx},
    {"scores_f16_any_bf16x4_amx", kAmx | kAvx512, accepts_tiles<DType::f16>, scratch_steps_amx, run_scores_amx},
    {"scores_any_any_f32_avx512", kAvx512, accepts_any, scratch_steps_avx512, run_scores_avx512},
    {"scores_any_any_f32_avx2", kAvx2, accepts_any, scratch_steps_avx2, run_scores_avx2},
    {"scores_any_any_f32_portable", kPortable, accepts_any, scratch_steps_portable, run_scores_portable},
};
constexpr SoftmaxKernel kSoftmax[] = {
    {"softmax_any_any_avx512", kAvx512, accepts_any, scratch_softmax, run_softmax_avx512},
    {"softmax_any_any_avx2", kAvx2, accepts_any, scratch_softmax, run_softmax_avx2},
    {"softmax_any_any_portable", kPortable, accepts_any, scratch_softmax, run_softmax_portable},
};
constexpr ValuesKernel kValues[] = {
    {"values_e4m3_any_bf16_amx", kAmx | kAvx512, accepts_tiles<DType::e4m3>, scratch_steps_amx, run_values_amx},
    {"values_bf16_any_bf16_amx", kAmx | kAvx512, accepts_tiles<DType::bf16>, scratch_steps_amx, run_values_amx},
    {"values_f16_any_bf16x4_amx", kAmx | kAvx512, accepts_tiles<DType::f16>, scratch_steps_amx, run_values_amx},
    {"values_any_any_f32_avx512", kAvx512, accepts_any, scratch_steps_avx512, run_values_avx512},
    {"values_any_any_f32_avx2", kAvx2, accepts_any, scratch_steps_avx2, run_values_avx2},
    {"values_any_any_f32_portable", kPortable, accepts_any, scratch_steps_portable, run_values_portable},
};

}  // namespace

// A row of scores and one of the mask, each up to whole pairs of the widest vector.
size_t scratch_softmax(const AttentionProblem& p) { return 2 * sizeof(float) * static_cast<size_t>(ceil_div(p.tokens, 32) * 32 + 32); }

std::span<const ScoresKernel> scores_kernels() { return kScores; }
std::span<const SoftmaxKernel> softmax_kernels() { return kSoftmax; }
std::span<const ValuesKernel> values_kernels() { return kValues; }

}  // namespace octet::cpu
