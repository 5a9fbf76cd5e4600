// The table of unfused attention, and its launches. Next: attention_unfused.cu.
#include "cuda/kernels/attention/attention_unfused.h"

#include <numbers>

namespace octet::cuda {
namespace {

constexpr int64_t kTile = 64, kSoftmaxWarps = 8, kMostTokens = 2048;  // of attention_unfused.cu; a warp keeps a row of scores in registers

// The device's Params.
struct Params {
  Address q, k, v, out, scores, weights;  // weights in the place of the scores
  int64_t q_stride, k_stride, v_stride, rows;
  float scale, out_scale;
};

int64_t pitch(const AttentionProblem& p) { return (p.tokens + 7) / 8 * 8; }
int64_t padded_dim(const AttentionProblem& p) { return (p.head_dim + 15) / 16 * 16; }

template <DType kIn>
Refusal accepts(const AttentionUnfusedProblem& p, const Gpu&) {
  if (p.in != kIn) return {fmt::format("takes {}", kIn)};
  if (p.out != DType::e4m3 && p.out != DType::f16 && p.out != DType::bf16 && p.out != DType::f32)
    return {fmt::format("attention to {}", p.out)};
  if (p.quantize_p) return {"probabilities are e4m3"};
  if (p.tokens <= 0 || p.tokens > kMostTokens) return {fmt::format("{} tokens are not between 1 and {}", p.tokens, kMostTokens)};
  if (p.heads <= 0 || p.head_dim % 8 != 0 || p.head_dim < 16 || p.head_dim > 128)
    return {fmt::format("head_dim {} is not a multiple of 8 from 16 to 128", p.head_dim)};
  if (!p.aligned) return {"rows of q, k or v do not begin at multiples of 16 bytes"};
  return {};
}

Program program_of(const char* entry, const AttentionUnfusedProblem& p) {
  return {"attention_unfused.cu",
          entry,
          {fmt::format("IN={}", p.in), fmt::format("OUT={}", p.out), fmt::format("TOKENS={}", p.tokens), fmt::format("HEADS={}", p.heads),
           fmt::format("HEAD_DIM={}", p.head_dim), fmt::format("CAUSAL={}", int{p.causal}), "QUANTIZE_P=0", "SCORE=f32", "STEPS=0"},
          {}};
}
Program program_scores(const AttentionUnfusedProblem& p, const Gpu&) { return program_of("attention_unfused_scores", p); }
Program program_softmax(const AttentionUnfusedProblem& p, const Gpu&) { return program_of("attention_unfused_softmax", p); }
Program program_values(const AttentionUnfusedProblem& p, const Gpu&) { return program_of("attention_unfused_values", p); }

Launch launch_of(const AttentionUnfusedProblem& p, const AttentionUnfusedArgs& a, int64_t blocks, uint32_t threads, int64_t shared_bytes) {
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, p.tokens, p.heads, a.batch);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = threads;
  launch.shared_bytes = static_cast<uint32_t>(shared_bytes);
  launch.set_params(Params{a.q, a.k, a.v, a.out, a.scores, a.scores, a.q_stride, a.k_stride, a.v_stride, a.batch * p.heads * p.tokens,
                           static_cast<float>(static_cast<double>(a.score_scale) * std::numbers::log2e), a.v_scale * a.inv_out_scale});
  return launch;
}
int64_t tiles(const AttentionUnfusedProblem& p, const AttentionUnfusedArgs& a) {
  return (p.tokens + kTile - 1) / kTile * p.heads * a.batch;
}
// Bytes of a shared tile of `cols` 16-bit columns: 16 more a row, against bank conflicts.
int64_t tile_bytes(int64_t cols) { return kTile * (2 * cols + 16); }

Launch launch_scores(const AttentionUnfusedProblem& p, const Gpu&, const AttentionUnfusedArgs& a) {
  return launch_of(p, a, tiles(p, a), 128, 3 * tile_bytes(padded_dim(p)));  // queries, two of keys
}
Launch launch_softmax(const AttentionUnfusedProblem& p, const Gpu&, const AttentionUnfusedArgs& a) {
  return launch_of(p, a, (a.batch * p.heads * p.tokens + kSoftmaxWarps - 1) / kSoftmaxWarps, 32 * kSoftmaxWarps, 0);
}
Launch launch_values(const AttentionUnfusedProblem& p, const Gpu&, const AttentionUnfusedArgs& a) {
  return launch_of(p, a, tiles(p, a), 128, 2 * (tile_bytes(kTile) + tile_bytes(padded_dim(p))));  // two of probabilities and of values
}

template <DType kIn>
constexpr AttentionUnfusedRow row(std::string_view name) {
  return {name,
          {name, {80}, accepts<kIn>, program_scores, launch_scores},
          {name, {80}, accepts<kIn>, program_softmax, launch_softmax},
          {name, {80}, accepts<kIn>, program_values, launch_values}};
}
constexpr AttentionUnfusedRow kRows[] = {row<DType::f16>("attention_f16_unfused"), row<DType::bf16>("attention_bf16_unfused")};

}  // namespace

size_t attention_scores_bytes(const AttentionProblem& problem, int64_t batch) {
  return static_cast<size_t>(batch * problem.heads * problem.tokens * pitch(problem)) * sizeof(float);
}
std::span<const AttentionUnfusedRow> attention_unfused_rows() { return kRows; }

}  // namespace octet::cuda
