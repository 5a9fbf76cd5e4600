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

// Beyond this many tokens a block of whole score rows leaves L2.
constexpr int64_t kTileTokens = 8192;

Refusal accepts_short(const AttentionProblem& p) {
  if (p.head_dim % 8 != 0 || p.head_dim > 256) return {fmt::format("head_dim {} is not a multiple of 8 up to 256", p.head_dim)};
  if (p.tokens > kTileTokens) return {fmt::format("{} tokens are more than {}", p.tokens, kTileTokens)};
  return {};
}
template <DType kIn, DType kOut>
Refusal accepts_tiles(const AttentionProblem& p) {
  if (Refusal no = accepts_any(p)) return no;
  if (p.in != kIn || p.out != kOut) return {fmt::format("takes {} to {}", name_of(kIn), name_of(kOut))};
  return accepts_short(p);
}
template <DType kIn, DType kOut>
constexpr AttentionKernel tile_row(std::string_view name) {
  return {name, kAmx | kAvx512, accepts_tiles<kIn, kOut>, attention_scratch_amx, run_attention_amx};
}

template <DType kIn>
Refusal accepts_dot(const AttentionProblem& p) {
  if (Refusal no = accepts_any(p)) return no;
  if (p.in != kIn) return {fmt::format("takes {}, not {}", name_of(kIn), name_of(p.in))};
  if (p.in == DType::e4m3 && !p.quantize_p) return {"p is not quantized: bf16 would cut it"};
  return accepts_short(p);
}
template <DType kIn>
constexpr AttentionKernel dot_row(std::string_view name) {
  return {name, kAvx512Bf16 | kAvx512, accepts_dot<kIn>, attention_scratch_avx512bf16, run_attention_avx512bf16};
}

constexpr AttentionKernel kKernels[] = {
    tile_row<DType::e4m3, DType::e4m3>("attention_e4m3_e4m3_bf16_amx"),
    tile_row<DType::e4m3, DType::f16>("attention_e4m3_f16_bf16_amx"),
    tile_row<DType::e4m3, DType::bf16>("attention_e4m3_bf16_bf16_amx"),
    tile_row<DType::bf16, DType::bf16>("attention_bf16_bf16_bf16_amx"),
    tile_row<DType::bf16, DType::e4m3>("attention_bf16_e4m3_bf16_amx"),
    tile_row<DType::f16, DType::f16>("attention_f16_f16_bf16x4_amx"),
    tile_row<DType::f16, DType::e4m3>("attention_f16_e4m3_bf16x4_amx"),
    dot_row<DType::e4m3>("attention_e4m3_any_bf16_avx512bf16"),
    dot_row<DType::bf16>("attention_bf16_any_bf16_avx512bf16"),
    {"attention_any_any_f32_avx512", kAvx512, accepts_any, attention_scratch_avx512, run_attention_avx512},
    {"attention_any_any_f32_avx2", kAvx2, accepts_any, attention_scratch_avx2, run_attention_avx2},
    {"attention_any_any_f32_portable", kPortable, accepts_any, attention_scratch_portable, run_attention_portable},
};

}  // namespace

size_t attention_scratch_portable(const AttentionProblem& p) { return attention_f32_scratch(p); }
void run_attention_portable(const AttentionProblem& p, const AttentionArgs& a, int thread, int threads) {
  run_attention_f32(p, a, thread, threads);
}

std::span<const AttentionKernel> attention_kernels() { return kKernels; }

}  // namespace octet::cpu
