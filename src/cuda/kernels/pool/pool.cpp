// The tables of pool and l2normalize kernels, one each. Next: pool.cu, l2normalize.cu.
#include "cuda/kernels/pool/pool.h"

namespace octet::cuda {
namespace {

constexpr uint32_t kThreads = 128;

// The devices' Params.
struct PoolParams {
  Address x, ids, y;
  int64_t index;
};
struct L2NormalizeParams {
  Address x, y;
  float epsilon;
};

Launch launch_of(int64_t blocks) {
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, blocks);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = kThreads;
  return launch;
}

Refusal accepts_pool(const PoolProblem& p, const Gpu&) {
  if (p.rows <= 0 || p.cols <= 0 || p.cols > INT32_MAX) return {fmt::format("{} rows of {}", p.rows, p.cols)};
  if (p.mode == PoolMode::kIndex) return {};
  if (p.ids != DType::i32 && p.ids != DType::i64) return {fmt::format("ids of {}", p.ids)};
  if (p.tokens <= 0 || p.tokens > p.rows || p.tokens > INT32_MAX) return {fmt::format("{} ids choose among {} rows", p.tokens, p.rows)};
  return {};
}
Program program_pool(const PoolProblem& p, const Gpu&) {
  const int64_t bytes = p.cols * static_cast<int64_t>(size_of(p.type));
  return {"pool.cu",
          "pool",
          {fmt::format("IDS={}", p.ids == DType::i32 ? "int32_t" : "int64_t"), fmt::format("MODE={}", static_cast<int>(p.mode)),
           fmt::format("ROWS={}LL", p.rows), fmt::format("ROW_BYTES={}LL", bytes), fmt::format("TOKENS={}", p.tokens),
           fmt::format("WORD={}", bytes % 16 == 0  ? 16
                                  : bytes % 4 == 0 ? 4
                                                   : 1)},
          {}};
}
Launch launch_pool(const PoolProblem&, const Gpu&, const PoolArgs& a) {
  Launch launch = launch_of(a.batch);
  launch.set_params(PoolParams{a.x, a.ids, a.y, a.index});
  return launch;
}

Refusal accepts_l2normalize(const L2NormalizeProblem& p, const Gpu&) {
  if (p.type != DType::f16 && p.type != DType::bf16 && p.type != DType::f32) return {fmt::format("rows of {}", p.type)};
  if (p.cols <= 0 || p.cols > INT32_MAX / 2) return {fmt::format("rows of {}", p.cols)};
  return {};
}
Program program_l2normalize(const L2NormalizeProblem& p, const Gpu&) {
  return {"l2normalize.cu", "l2normalize", {fmt::format("TYPE={}", p.type), fmt::format("COLS={}", p.cols)}, {}};
}
Launch launch_l2normalize(const L2NormalizeProblem&, const Gpu&, const L2NormalizeArgs& a) {
  Launch launch = launch_of(a.rows);
  launch.set_params(L2NormalizeParams{a.x, a.y, a.epsilon});
  return launch;
}

constexpr PoolKernel kPoolKernels[] = {{"pool_block_row", {80}, accepts_pool, program_pool, launch_pool}};
constexpr L2NormalizeKernel kL2NormalizeKernels[] = {
    {"l2normalize_block_row", {80}, accepts_l2normalize, program_l2normalize, launch_l2normalize}};

}  // namespace

std::span<const PoolKernel> pool_kernels() { return kPoolKernels; }
std::span<const L2NormalizeKernel> l2normalize_kernels() { return kL2NormalizeKernels; }

}  // namespace octet::cuda
