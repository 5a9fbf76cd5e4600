#include "cuda/kernels/gemm/gemm_finish.h"

namespace octet::cuda {
namespace {

constexpr int64_t kThreads = 256, kVector = 8;  // of gemm_finish.cu

struct Params {
  Address sums, out, residual, alpha, bias, post;
  int64_t vectors;
};

Refusal accepts(const GemmProblem& problem, const Gpu&) {
  if (problem.n % kVector != 0) return {fmt::format("n {} is no multiple of {}", problem.n, kVector)};
  return {};
}
Program program(const GemmProblem& problem, const Gpu&) {
  return {"gemm_finish.cu",
          "gemm_finish",
          {fmt::format("OUT={}", problem.out), fmt::format("COLS={}", problem.n),
           fmt::format("ACTIVATION={}", static_cast<int>(problem.act)), fmt::format("RESIDUAL={}", int{problem.residual})},
          {}};
}
Launch launch(const GemmProblem& problem, const Gpu&, const GemmFinishArgs& args) {
  const GemmArgs& gemm = args.gemm;
  const int64_t vectors = gemm.m * problem.n / kVector, blocks = (vectors + kThreads - 1) / kThreads;
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, blocks);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = kThreads;
  launch.set_params(Params{args.sums, gemm.out, gemm.residual, gemm.alpha, gemm.bias, gemm.post, vectors});
  return launch;
}

constexpr GemmFinishKernel kRows[] = {{"gemm_finish", {80}, accepts, program, launch}};

}  // namespace

std::span<const GemmFinishKernel> gemm_finish_kernels() { return kRows; }

}  // namespace octet::cuda
