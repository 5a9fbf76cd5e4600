// The tables of unfused attention's steps, and their launches.
#include "cuda/kernels/attention/attention_steps.h"

namespace octet::cuda {
namespace {

constexpr int64_t kTile = 64, kSoftmaxWarps = 8, kMostTokens = 2048;  // of attention_unfused.cu; a warp keeps a row in registers
constexpr int64_t kSimtThreads = 256;                                 // of attention_steps_simt.cu

// The device's Params of attention_unfused.cu.
struct TileParams {
  Address q, k, v, out, scores, weights;
  int64_t q_stride, k_stride, v_stride, rows;
  float scale, out_scale;
};
// And of attention_steps_simt.cu.
struct SimtParams {
  Address a, b, out;
  int64_t a_stride, b_stride, count;
  float scale;
};

int64_t pitch(const AttentionStepProblem& p) { return (p.tokens + 7) / 8 * 8; }
int64_t padded_dim(const AttentionStepProblem& p) { return (p.head_dim + 15) / 16 * 16; }
int64_t tile_bytes(int64_t cols) { return kTile * (2 * cols + 16); }

Refusal accepts_any(const AttentionStepProblem& p, const Gpu&) {
  const auto known = [](DType t) { return t == DType::e4m3 || t == DType::f16 || t == DType::bf16 || t == DType::f32; };
  if (!known(p.in) || !known(p.out)) return {fmt::format("{} to {}", p.in, p.out)};
  if (p.tokens <= 0 || p.heads <= 0 || p.head_dim <= 0) return {fmt::format("{} tokens, {} heads of {}", p.tokens, p.heads, p.head_dim)};
  return {};
}
template <DType kIn>
Refusal accepts_mma(const AttentionStepProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts_any(p, gpu)) return no;
  if (p.in != kIn) return {fmt::format("takes {}", kIn)};
  if (p.head_dim % 8 != 0 || p.head_dim < 16 || p.head_dim > 128)
    return {fmt::format("head_dim {} is not a multiple of 8 from 16 to 128", p.head_dim)};
  if (!p.aligned) return {"rows of q, k or v do not begin at multiples of 16 bytes"};
  return {};
}
template <DType kIn>
Refusal accepts_scores_mma(const AttentionStepProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts_mma<kIn>(p, gpu)) return no;
  if (p.out == DType::e4m3) return {"scores of e4m3"};
  return {};
}
Refusal accepts_softmax(const AttentionStepProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts_any(p, gpu)) return no;
  if (p.in == DType::e4m3) return {"scores of e4m3"};
  if (p.tokens > kMostTokens) return {fmt::format("{} tokens are more than {}", p.tokens, kMostTokens)};
  return {};
}

Program program_of(const char* file, const char* entry, const AttentionStepProblem& p, DType in, DType out, DType score) {
  return {file,
          entry,
          {fmt::format("IN={}", in), fmt::format("OUT={}", out), fmt::format("SCORE={}", score), fmt::format("TOKENS={}", p.tokens),
           fmt::format("HEADS={}", p.heads), fmt::format("HEAD_DIM={}", p.head_dim), fmt::format("CAUSAL={}", int{p.causal}),
           "QUANTIZE_P=0", "STEPS=1"},
          {}};
}
constexpr const char* kTiles = "attention_unfused.cu";
constexpr const char* kSimt = "attention_steps_simt.cu";
Program program_scores(const AttentionStepProblem& p, const Gpu&) {
  return program_of(kTiles, "attention_unfused_scores", p, p.in, p.in, p.out);
}
Program program_softmax(const AttentionStepProblem& p, const Gpu&) {
  AttentionStepProblem softmax = p;
  softmax.head_dim = 16;  // of no account to it
  return program_of(kTiles, "attention_unfused_softmax", softmax, p.out, DType::f32, p.in);
}
Program program_values(const AttentionStepProblem& p, const Gpu&) {
  return program_of(kTiles, "attention_unfused_values", p, p.in, p.out, DType::f32);
}
Program program_scores_simt(const AttentionStepProblem& p, const Gpu&) { return program_of(kSimt, "scores_simt", p, p.in, p.out, p.out); }
Program program_values_simt(const AttentionStepProblem& p, const Gpu&) { return program_of(kSimt, "values_simt", p, p.in, p.out, p.out); }

template <class Params>
Launch launch_of(int64_t blocks, int64_t threads, int64_t shared_bytes, const Params& params) {
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, blocks);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = static_cast<uint32_t>(threads);
  launch.shared_bytes = static_cast<uint32_t>(shared_bytes);
  launch.set_params(params);
  return launch;
}
int64_t rows_of(const AttentionStepProblem& p, const AttentionStepArgs& a) { return a.batch * p.heads * p.tokens; }
int64_t tiles(const AttentionStepProblem& p, const AttentionStepArgs& a) { return (p.tokens + kTile - 1) / kTile * p.heads * a.batch; }

Launch launch_scores(const AttentionStepProblem& p, const Gpu&, const AttentionStepArgs& a) {
  return launch_of(tiles(p, a), 128, 3 * tile_bytes(padded_dim(p)),
                   TileParams{a.a, a.b, 0, 0, a.out, 0, a.a_stride, a.b_stride, 0, rows_of(p, a), a.scale, 1});
}
Launch launch_softmax(const AttentionStepProblem& p, const Gpu&, const AttentionStepArgs& a) {
  const int64_t rows = rows_of(p, a);
  return launch_of((rows + kSoftmaxWarps - 1) / kSoftmaxWarps, 32 * kSoftmaxWarps, 0,
                   TileParams{0, 0, 0, 0, a.a, a.out, 0, 0, 0, rows, 1, a.scale});
}
Launch launch_values(const AttentionStepProblem& p, const Gpu&, const AttentionStepArgs& a) {
  return launch_of(tiles(p, a), 128, 2 * (tile_bytes(kTile) + tile_bytes(padded_dim(p))),
                   TileParams{0, 0, a.b, a.out, 0, a.a, 0, 0, a.b_stride, rows_of(p, a), 1, a.scale});
}
Launch launch_simt(int64_t count, const AttentionStepArgs& a) {
  return launch_of((count + kSimtThreads - 1) / kSimtThreads, kSimtThreads, 0,
                   SimtParams{a.a, a.b, a.out, a.a_stride, a.b_stride, count, a.scale});
}
Launch launch_scores_simt(const AttentionStepProblem& p, const Gpu&, const AttentionStepArgs& a) {
  return launch_simt(rows_of(p, a) * pitch(p), a);
}
Launch launch_values_simt(const AttentionStepProblem& p, const Gpu&, const AttentionStepArgs& a) {
  return launch_simt(rows_of(p, a) * p.head_dim, a);
}

constexpr AttentionStepKernel kScores[] = {
    {"scores_f16_mma", {80}, accepts_scores_mma<DType::f16>, program_scores, launch_scores},
    {"scores_bf16_mma", {80}, accepts_scores_mma<DType::bf16>, program_scores, launch_scores},
    {"scores_any_simt", {80}, accepts_any, program_scores_simt, launch_scores_simt},
};
constexpr AttentionStepKernel kSoftmax[] = {{"softmax_any_warp", {80}, accepts_softmax, program_softmax, launch_softmax}};
constexpr AttentionStepKernel kValues[] = {
    {"values_f16_mma", {80}, accepts_mma<DType::f16>, program_values, launch_values},
    {"values_bf16_mma", {80}, accepts_mma<DType::bf16>, program_values, launch_values},
    {"values_any_simt", {80}, accepts_any, program_values_simt, launch_values_simt},
};

}  // namespace

std::span<const AttentionStepKernel> scores_kernels() { return kScores; }
std::span<const AttentionStepKernel> softmax_kernels() { return kSoftmax; }
std::span<const AttentionStepKernel> values_kernels() { return kValues; }

}  // namespace octet::cuda
