// The table of attention kernels, best first. Next: attention_mma.cu (any length), attention_simt.cu (any type).
#include "cuda/kernels/attention/attention.h"

#include <cstdint>
#include <numbers>

namespace octet::cuda {
namespace {

// The device's AttentionParams.
struct Params {
  Address q, k, v, out;
  int64_t q_stride, k_stride, v_stride;
  float scale, inv_p_scale, out_scale;
  int32_t aligned;
};

Program program_of(const char* name, const AttentionProblem& p) {
  return {fmt::format("{}.cu", name), name,
          {fmt::format("IN={}", p.in), fmt::format("OUT={}", p.out), fmt::format("TOKENS={}", p.tokens), fmt::format("HEADS={}", p.heads),
           fmt::format("HEAD_DIM={}", p.head_dim), fmt::format("CAUSAL={}", int{p.causal}), fmt::format("QUANTIZE_P={}", int{p.quantize_p})},
          {}};
}

// Rows of q, k and v may be read 8 elements at a time.
bool aligned(const AttentionProblem& p, const AttentionArgs& a) {
  const auto bytes = static_cast<uint64_t>(size_of(p.in)), step = 8 * bytes;
  const auto fits = [&](Address at, int64_t stride) { return at % step == 0 && static_cast<uint64_t>(stride) * bytes % step == 0; };
  return fits(a.q, a.q_stride) && fits(a.k, a.k_stride) && fits(a.v, a.v_stride);
}

// One block for `rows` queries of one head.
Launch launch_of(const AttentionProblem& p, const AttentionArgs& a, int64_t rows, uint32_t threads) {
  const int64_t blocks = (p.tokens + rows - 1) / rows * p.heads * a.batch;
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, p.tokens, p.heads, a.batch);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = threads;
  launch.set_params(Params{a.q, a.k, a.v, a.out, a.q_stride, a.k_stride, a.v_stride,
                           static_cast<float>(static_cast<double>(a.score_scale) * std::numbers::log2e), p.quantize_p ? 1 / a.p_scale : 1,
                           a.v_scale * a.inv_out_scale * (p.quantize_p ? a.p_scale : 1), aligned(p, a)});
  return launch;
}

Refusal accepts_any(const AttentionProblem& p, const Gpu&) {
  const auto known = [](DType t) { return t == DType::e4m3 || t == DType::f16 || t == DType::bf16 || t == DType::f32; };
  if (!known(p.in) || !known(p.out)) return {fmt::format("attention of {} to {}", p.in, p.out)};
  if (p.tokens <= 0 || p.heads <= 0 || p.head_dim <= 0)
    return {fmt::format("attention of {} tokens, {} heads of {}", p.tokens, p.heads, p.head_dim)};
  if (p.head_dim > 256) return {fmt::format("head_dim {} is more than 256", p.head_dim)};
  return {};
}

template <DType kIn>
Refusal accepts_mma(const AttentionProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts_any(p, gpu)) return no;
  if (p.in != kIn) return {fmt::format("takes {}", kIn)};
  if (p.head_dim % 8 != 0 || p.head_dim < 16 || p.head_dim > 128)
    return {fmt::format("head_dim {} is not a multiple of 8 from 16 to 128", p.head_dim)};
  return {};
}
Program program_mma(const AttentionProblem& p, const Gpu&) { return program_of("attention_mma", p); }
Launch launch_mma(const AttentionProblem& p, const Gpu&, const AttentionArgs& a) { return launch_of(p, a, 64, 128); }
template <DType kIn>
constexpr AttentionKernel mma_row(std::string_view name) {
  return {name, {80}, accepts_mma<kIn>, program_mma, launch_mma};
}

Program program_simt(const AttentionProblem& p, const Gpu&) { return program_of("attention_simt", p); }
Launch launch_simt(const AttentionProblem& p, const Gpu&, const AttentionArgs& a) { return launch_of(p, a, 4, 128); }

constexpr AttentionKernel kKernels[] = {
    mma_row<DType::e4m3>("attention_e4m3_mma"),
    mma_row<DType::f16>("attention_f16_mma"),
    mma_row<DType::bf16>("attention_bf16_mma"),
    {"attention_any_simt", {80}, accepts_any, program_simt, launch_simt},
};

}  // namespace

std::span<const AttentionKernel> attention_kernels() { return kKernels; }

}  // namespace octet::cuda
