// The table of attention kernels, best first. Next: attention_wgmma_fp8.cu, attention_wgmma_half.cu and attention_wgmma.cu (short sequences
// on Hopper), attention_mma.cu (any length), attention_simt.cu (any type).
#include "cuda/kernels/attention/attention.h"

#include <algorithm>
#include <cstdint>
#include <numbers>

namespace octet::cuda {
namespace {

// The device's AttentionParams.
struct Params {
  Address q, k, v, out;
  int64_t q_stride, k_stride, v_stride;
  float scale, inv_p_scale, out_scale;
  int32_t aligned, whole, parts, works, last;
};

Program program_of(const char* name, const AttentionProblem& p) {
  return {
      fmt::format("{}.cu", name),
      name,
      {fmt::format("IN={}", p.in), fmt::format("OUT={}", p.out), fmt::format("TOKENS={}", p.tokens), fmt::format("HEADS={}", p.heads),
       fmt::format("HEAD_DIM={}", p.head_dim), fmt::format("CAUSAL={}", int{p.causal}), fmt::format("QUANTIZE_P={}", int{p.quantize_p})},
      {}};
}

// Whether rows of q, k and v begin at multiples of `step` bytes.
bool aligned(const AttentionProblem& p, const AttentionArgs& a, uint64_t step) {
  const auto bytes = static_cast<uint64_t>(size_of(p.in));
  const auto fits = [&](Address at, int64_t stride) { return at % step == 0 && static_cast<uint64_t>(stride) * bytes % step == 0; };
  return fits(a.q, a.q_stride) && fits(a.k, a.k_stride) && fits(a.v, a.v_stride);
}

Params params_of(const AttentionProblem& p, const AttentionArgs& a) {
  return {a.q,
          a.k,
          a.v,
          a.out,
          a.q_stride,
          a.k_stride,
          a.v_stride,
          static_cast<float>(static_cast<double>(a.score_scale) * std::numbers::log2e),
          p.quantize_p ? 1 / a.p_scale : 1,
          a.v_scale * a.inv_out_scale * (p.quantize_p ? a.p_scale : 1),
          aligned(p, a, 8 * size_of(p.in)),
          0,
          1,
          0,
          a.backward ? static_cast<int32_t>(p.heads * a.batch - 1) : -1};
}
Launch launch_of(const AttentionProblem& p, const AttentionArgs& a, int64_t blocks, const Params& params) {
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, p.tokens, p.heads, a.batch);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = 128;
  launch.set_params(params);
  return launch;
}
// One block for `rows` queries of one head.
Launch launch_of(const AttentionProblem& p, const AttentionArgs& a, int64_t rows) {
  return launch_of(p, a, (p.tokens + rows - 1) / rows * p.heads * a.batch, params_of(p, a));
}

Refusal accepts_any(const AttentionProblem& p, const Gpu&) {
  const auto known = [](DType t) { return t == DType::e4m3 || t == DType::f16 || t == DType::bf16 || t == DType::f32; };
  if (!known(p.in) || !known(p.out)) return {fmt::format("attention of {} to {}", p.in, p.out)};
  if (p.tokens <= 0 || p.heads <= 0 || p.head_dim <= 0)
    return {fmt::format("attention of {} tokens, {} heads of {}", p.tokens, p.heads, p.head_dim)};
  if (p.head_dim > 1024) return {fmt::format("head_dim {} is more than 1024", p.head_dim)};
  return {};
}

// The longest sequence whose scores of a query, 8 keys at a time, fit in a quad's registers beside what else lives there.
constexpr int64_t kWgmmaTokens = 264;

template <DType kIn>
Refusal accepts_wgmma(const AttentionProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts_any(p, gpu)) return no;
  if (p.in != kIn) return {fmt::format("takes {}", kIn)};
  if (p.head_dim != 64) return {fmt::format("head_dim {} is not 64", p.head_dim)};
  if (p.tokens <= 16 || p.tokens > kWgmmaTokens) return {fmt::format("{} tokens are not 17 to {}", p.tokens, kWgmmaTokens)};
  if (!p.aligned) return {"rows of q, k and v do not begin at multiples of 16 bytes"};
  return {};
}
// A piece of work is a head, as long as heads fill the GPU; the heads left over are cut into pieces of fewer queries. `slots`: blocks that
// run at once.
Params pieces_of(const AttentionProblem& p, const AttentionArgs& a, int64_t slots) {
  OCTET_CHECK(aligned(p, a, 16) && a.out % 16 == 0, a.q, a.q_stride, a.k, a.k_stride, a.v, a.v_stride, a.out);
  const int64_t heads = p.heads * a.batch, rest = heads % slots;
  const int64_t blocks = p.tokens / 64 + (p.tokens % 64 > 16), parts = rest == 0 ? 1 : std::clamp(slots / rest, int64_t{1}, blocks);
  Params params = params_of(p, a);
  params.whole = static_cast<int32_t>(heads - rest);
  params.parts = static_cast<int32_t>(parts);
  params.works = static_cast<int32_t>(heads - rest + rest * parts);
  return params;
}

// A warpgroup kernel: its name, and the shared memory of a block.
struct Warpgroup {
  const char* name;
  int64_t (*bytes)(const AttentionProblem&);
  bool persistent;
};
int64_t tail_of(const AttentionProblem& p) { return p.tokens % 64 <= 16 ? p.tokens % 64 : 0; }
// 128 bytes for every key and value, a block's queries, maxima and sums.
int64_t full_bytes(const AttentionProblem& p) { return 2 * ((p.tokens + 7) / 8) * 1024 + 64 * 128 + 512; }
// The same, but of the tail only its own rows: queries, p, maxima and sums; which work is under way.
int64_t half_bytes(const AttentionProblem& p) {
  return 2 * ((p.tokens + 7) / 8) * 1024 + 64 * 128 + tail_of(p) * (128 + (p.tokens + 15) / 16 * 32 + 16 + 32) + 16;
}
// Keys and values as they lie in memory, a block's queries, the tail's; values transposed, the tail's p, maxima and sums.
int64_t fp8_bytes(const AttentionProblem& p) {
  const int64_t tiles = (p.tokens + 7) / 8, groups = (p.tokens + 31) / 32;
  return tiles * 512 + groups * 2048 + 4096 + 1024 + 2 * groups * 8 * 144 + 2 * groups * 16 * (tail_of(p) > 8 ? 16 : 8) + 512;
}
constexpr Warpgroup kFull{"attention_wgmma", full_bytes, false}, kHalf{"attention_wgmma_half", half_bytes, true},
    kFp8{"attention_wgmma_fp8", fp8_bytes, true};

// Blocks that share a multiprocessor: what their registers allow without spills (a quad keeps `tokens` scores of two queries, causal
// blocks of 64 queries fewer), and what its shared memory holds (228 KiB, 1 KiB a block taken by the system: CUDA's compute
// capability 9.0).
int64_t occupancy(const Warpgroup& kernel, const AttentionProblem& p) {
  const int64_t registers = p.tokens > 128 ? 3 : p.tokens > 96 ? 4 : p.causal ? 6 : 5;
  return std::min<int64_t>(registers, 228 * 1024 / (kernel.bytes(p) + 1024));
}
template <const Warpgroup& kKernel>
Program program_wgmma(const AttentionProblem& p, const Gpu&) {
  Program program = program_of(kKernel.name, p);
  program.defines.push_back(fmt::format("BLOCKS_PER_SM={}", occupancy(kKernel, p)));
  program.defines.push_back(fmt::format("SHARED_BYTES={}", kKernel.bytes(p)));
  program.defines.push_back("PARTS=1");
  return program;
}
template <const Warpgroup& kKernel>
Launch launch_wgmma(const AttentionProblem& p, const Gpu& gpu, const AttentionArgs& a) {
  const int64_t slots = std::max(1, gpu.multiprocessors) * occupancy(kKernel, p);
  const Params params = pieces_of(p, a, slots);
  Launch launch = launch_of(p, a, kKernel.persistent ? std::min<int64_t>(params.works, slots) : params.works, params);
  launch.shared_bytes = static_cast<uint32_t>(kKernel.bytes(p));
  return launch;
}
template <DType kIn, const Warpgroup& kKernel>
constexpr AttentionKernel wgmma_row(std::string_view name) {
  return {name, {90, true}, accepts_wgmma<kIn>, program_wgmma<kKernel>, launch_wgmma<kKernel>};
}
Refusal accepts_wgmma_fp8(const AttentionProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts_wgmma<DType::e4m3>(p, gpu)) return no;
  if (!p.quantize_p) return {"p is not quantized"};
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
Launch launch_mma(const AttentionProblem& p, const Gpu&, const AttentionArgs& a) { return launch_of(p, a, 64); }
template <DType kIn>
constexpr AttentionKernel mma_row(std::string_view name) {
  return {name, {80}, accepts_mma<kIn>, program_mma, launch_mma};
}

Program program_simt(const AttentionProblem& p, const Gpu&) { return program_of("attention_simt", p); }
Launch launch_simt(const AttentionProblem& p, const Gpu&, const AttentionArgs& a) { return launch_of(p, a, 4); }

constexpr AttentionKernel kKernels[] = {
    {"attention_e4m3_wgmma", {90, true}, accepts_wgmma_fp8, program_wgmma<kFp8>, launch_wgmma<kFp8>, kFp8TensorCore},
    wgmma_row<DType::e4m3, kFull>("attention_e4m3_wgmma_full"),
    wgmma_row<DType::f16, kHalf>("attention_f16_wgmma"),
    wgmma_row<DType::bf16, kHalf>("attention_bf16_wgmma"),
    mma_row<DType::e4m3>("attention_e4m3_mma"),
    mma_row<DType::f16>("attention_f16_mma"),
    mma_row<DType::bf16>("attention_bf16_mma"),
    {"attention_any_simt", {80}, accepts_any, program_simt, launch_simt},
};

}  // namespace

std::span<const AttentionKernel> attention_kernels() { return kKernels; }

}  // namespace octet::cuda
