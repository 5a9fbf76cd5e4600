// The table of embedding kernels: one. Next: embed.cu.
#include "cuda/kernels/embed/embed.h"

namespace octet::cuda {
namespace {

constexpr int64_t kWarps = 4;  // of a block, a row each

// The device's Params.
struct Params {
  Address ids, token, position, y;
  int64_t rows;
};

Refusal accepts(const EmbedProblem& p, const Gpu&) {
  if (p.table != DType::f16 && p.table != DType::bf16 && p.table != DType::f32) return {fmt::format("tables of {}", p.table)};
  if (p.ids != DType::i32 && p.ids != DType::i64) return {fmt::format("ids of {}", p.ids)};
  if (p.cols <= 0 || p.cols > INT32_MAX || p.tokens <= 0 || p.vocabulary <= 0)
    return {fmt::format("{} tokens of {}, {} in the vocabulary", p.tokens, p.cols, p.vocabulary)};
  return {};
}

Program program(const EmbedProblem& p, const Gpu&) {
  return {"embed.cu",
          "embed",
          {fmt::format("IDS={}", p.ids == DType::i32 ? "int32_t" : "int64_t"), fmt::format("TYPE={}", p.table),
           fmt::format("TOKENS={}", p.tokens), fmt::format("COLS={}", p.cols), fmt::format("VOCABULARY={}LL", p.vocabulary)},
          {}};
}

Launch launch(const EmbedProblem& p, const Gpu&, const EmbedArgs& a) {
  const int64_t rows = a.batch * p.tokens, blocks = (rows + kWarps - 1) / kWarps;
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, a.batch, p.tokens);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = 32 * kWarps;
  launch.set_params(Params{a.ids, a.token, a.position, a.y, rows});
  return launch;
}

constexpr EmbedKernel kKernels[] = {{"embed_warp_row", {80}, accepts, program, launch}};

}  // namespace

std::span<const EmbedKernel> embed_kernels() { return kKernels; }

}  // namespace octet::cuda
