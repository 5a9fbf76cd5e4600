// The table of norm kernels, best first. Next: norm_warp.cu, norm_block.cu.
#include "cuda/kernels/norm/norm.h"

namespace octet::cuda {
namespace {

constexpr int64_t kWarps = 4;  // of a block of norm_warp

// The device's Params.
struct Params {
  Address x, y, gamma, beta;
  float epsilon, inv_out_scale;
  int64_t rows;
  int32_t backward;
};

Refusal accepts_block(const NormProblem& p, const Gpu&) {
  const bool known = p.in == DType::f16 || p.in == DType::bf16 || p.in == DType::f32;
  if (!known || (p.out != p.in && p.out != DType::e4m3)) return {fmt::format("norm of {} to {}", p.in, p.out)};
  if (p.cols <= 0 || p.cols > INT32_MAX) return {fmt::format("rows of {}", p.cols)};
  return {};
}
Refusal accepts_warp(const NormProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts_block(p, gpu)) return no;
  if (p.cols % 8 != 0) return {fmt::format("rows of {} are not a multiple of 8", p.cols)};
  if (const int64_t most = p.in == DType::f32 ? 2048 : 4096; p.cols > most)
    return {fmt::format("rows of {} are more than {}", p.cols, most)};
  return {};
}

// Rows of a warp: two share what they read of gamma and beta, as long as both fit in half of the registers.
int64_t rows_of_warp(const NormProblem& p) { return p.cols * static_cast<int64_t>(size_of(p.in)) <= 2048 ? 2 : 1; }

Program program_of(const char* name, const NormProblem& p) {
  return {fmt::format("{}.cu", name), name, {fmt::format("IN={}", p.in), fmt::format("OUT={}", p.out), fmt::format("COLS={}", p.cols)}, {}};
}
Program program_warp(const NormProblem& p, const Gpu&) {
  Program program = program_of("norm_warp", p);
  program.defines.push_back(fmt::format("ROWS={}", rows_of_warp(p)));
  return program;
}
Program program_block(const NormProblem& p, const Gpu&) { return program_of("norm_block", p); }

Launch launch_of(const NormArgs& a, int64_t rows_of_block, uint32_t threads) {
  const int64_t blocks = (a.rows + rows_of_block - 1) / rows_of_block;
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, a.rows);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = threads;
  launch.set_params(Params{a.x, a.y, a.gamma, a.beta, a.epsilon, a.inv_out_scale, a.rows, a.backward});
  return launch;
}
Launch launch_warp(const NormProblem& p, const Gpu&, const NormArgs& a) { return launch_of(a, kWarps * rows_of_warp(p), 32 * kWarps); }
Launch launch_block(const NormProblem&, const Gpu&, const NormArgs& a) { return launch_of(a, 1, 256); }

constexpr NormKernel kKernels[] = {
    {"norm_warp_row", {80}, accepts_warp, program_warp, launch_warp},
    {"norm_block_row", {80}, accepts_block, program_block, launch_block},
};

}  // namespace

std::span<const NormKernel> norm_kernels() { return kKernels; }

}  // namespace octet::cuda
