// The table of GEMM kernels, best first: Hopper's (gemm_wgmma.cpp), then those of any GPU: gemm_mma.cu, gemm_simt.cu.
#include "cuda/kernels/gemm/gemm.h"

#include "cuda/kernels/gemm/gemm_wgmma.h"

namespace octet::cuda {
namespace {

constexpr int64_t kMmaTile = 128, kSimtTile = 64;       // outputs of a block: as in the .cu
constexpr uint32_t kMmaShared = 3 * 2 * kMmaTile * 64;  // stages of two operands, 64 bytes a row

// The device's Params.
struct Params {
  Address a, w, out, residual, alpha, bias, post;
  int64_t m;
};

Refusal accepts_any(const GemmProblem& p, const Gpu&) {
  const auto known = [](DType t) { return t == DType::e4m3 || t == DType::f16 || t == DType::bf16 || t == DType::f32; };
  if (!known(p.in) || !known(p.out)) return {fmt::format("gemm of {} to {}", p.in, p.out)};
  if (p.n <= 0 || p.k < 0 || p.n > INT32_MAX || p.k > INT32_MAX) return {fmt::format("n {}, k {}", p.n, p.k)};
  if (p.residual && p.out == DType::e4m3) return {"a residual of e4m3"};
  return {};
}
template <DType kIn>
Refusal accepts_mma(const GemmProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts_any(p, gpu)) return no;
  if (p.in != kIn) return {fmt::format("inputs are {}", p.in)};
  const int64_t multiple = 16 / static_cast<int64_t>(size_of(kIn));
  if (p.k == 0 || p.k % multiple != 0) return {fmt::format("k {} is no multiple of {}", p.k, multiple)};
  return {};
}

// Hopper has e4m3 in its warpgroup products only: ptxas makes these of f16, and spills. PTX for an older GPU is run all the same.
Refusal accepts_e4m3_mma(const GemmProblem& p, const Gpu& gpu) {
  if (gpu.sm == 90 && !gpu.portable_code) return {"sm_90 has no warp products of e4m3"};
  return accepts_mma<DType::e4m3>(p, gpu);
}

Program program_of(const char* name, const GemmProblem& p) {
  return {fmt::format("{}.cu", name),
          name,
          {fmt::format("IN={}", p.in), fmt::format("OUT={}", p.out), fmt::format("COLS={}", p.n), fmt::format("DEPTH={}", p.k),
           fmt::format("ACTIVATION={}", static_cast<int>(p.act)), fmt::format("RESIDUAL={}", int{p.residual})},
          {}};
}
template <bool kWiden>
Program program_mma(const GemmProblem& p, const Gpu&) {
  Program program = program_of("gemm_mma", p);
  program.defines.push_back(fmt::format("WIDEN={}", int{kWiden}));
  return program;
}
Program program_simt(const GemmProblem& p, const Gpu&) { return program_of("gemm_simt", p); }

Launch launch_of(const GemmProblem& p, const GemmArgs& a, int64_t tile) {
  const int64_t blocks = (a.m + tile - 1) / tile * ((p.n + tile - 1) / tile);
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, a.m, p.n);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = 256;
  launch.set_params(Params{a.a, a.w, a.out, a.residual, a.alpha, a.bias, a.post, a.m});
  return launch;
}
Launch launch_mma(const GemmProblem& p, const Gpu&, const GemmArgs& a) {
  Launch launch = launch_of(p, a, kMmaTile);
  launch.shared_bytes = kMmaShared;
  return launch;
}
Launch launch_simt(const GemmProblem& p, const Gpu&, const GemmArgs& a) { return launch_of(p, a, kSimtTile); }

// e4m3 in its own products from sm_89 on, widened to f16 before.
constexpr GemmKernel kPortable[] = {
    {"gemm_e4m3_mma", {89}, accepts_e4m3_mma, program_mma<false>, launch_mma, kFp8TensorCore},
    {"gemm_e4m3_f16_mma", {80}, accepts_mma<DType::e4m3>, program_mma<true>, launch_mma},
    {"gemm_f16_mma", {80}, accepts_mma<DType::f16>, program_mma<false>, launch_mma},
    {"gemm_bf16_mma", {80}, accepts_mma<DType::bf16>, program_mma<false>, launch_mma},
    {"gemm_any_simt", {80}, accepts_any, program_simt, launch_simt},
};

}  // namespace

std::span<const GemmKernel> gemm_kernels() {
  static const std::vector<GemmKernel> kernels = [] {
    std::vector<GemmKernel> all(gemm_wgmma_rows().begin(), gemm_wgmma_rows().end());
    all.insert(all.end(), std::begin(kPortable), std::end(kPortable));
    return all;
  }();
  return kernels;
}

}  // namespace octet::cuda
