// Host side of gemm_wgmma.cu: the tiles worth timing, what they accept, and their launch.
#include "cuda/kernels/gemm/gemm_wgmma.h"

#include <algorithm>
#include <array>

#include "cuda/driver/tensor_map.h"

namespace octet::cuda {
namespace {

// Two warpgroups in turns, each on a tile of its own (PINGPONG): faster than both on one tile at every shape of ViT-L/14. Two blocks of a
// cluster share the operand that is larger in the problem: the rows of a (cluster_n) or of w (cluster_m). Measured on an H200,
// 2026-11-24: docs/kernels/cuda_gemm.md.
struct Tile {
  int m, n, stages, cluster_m, cluster_n;
  bool full_sums = false;  // both warpgroups on one tile: the second set of sums takes the registers
};
constexpr Tile kTiles[] = {{128, 128, 6, 2, 1}, {128, 128, 6, 1, 2}, {64, 256, 5, 2, 1}, {64, 128, 8, 1, 1}, {128, 128, 6, 2, 1, true}};
constexpr int kRowBytes = 128;  // of a stage
constexpr Target kHopper{90, true};

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Four lanes write 16 bytes each; the copy engine wants rows of whole 16 bytes.
Refusal accepts(DType in, const GemmProblem& problem) {
  if (problem.in != in) return {fmt::format("inputs are {}", problem.in)};
  const int64_t multiple = problem.out == DType::f32 ? 16 : 64 / static_cast<int64_t>(size_of(problem.out));
  if (problem.n % multiple != 0) return {fmt::format("n {} is no multiple of {}", problem.n, multiple)};
  const int64_t k_multiple = 16 / static_cast<int64_t>(size_of(in));
  if (problem.k % k_multiple != 0) return {fmt::format("k {} is no multiple of {}", problem.k, k_multiple)};
  return {};
}

Program program(const Tile& tile, const GemmProblem& problem) {
  Program program{"gemm_wgmma.cu", "gemm_wgmma", {}, kHopper};
  const auto define = [&](std::string_view name, auto value) { program.defines.push_back(fmt::format("{}={}", name, value)); };
  define("IN", name_of(problem.in)), define("OUT", name_of(problem.out));
  define("COLS", problem.n), define("DEPTH", problem.k);
  define("ACTIVATION", static_cast<int>(problem.act)), define("RESIDUAL", problem.residual ? 1 : 0);
  define("TILE_M", tile.m), define("TILE_N", tile.n), define("STAGES", tile.stages);
  define("CLUSTER_M", tile.cluster_m), define("CLUSTER_N", tile.cluster_n);
  define("PINGPONG", tile.full_sums ? 0 : 1), define("FULL_SUMS", tile.full_sums ? 1 : 0);
  return program;
}

struct alignas(64) Params {
  TensorMap a, b;
  Address out, residual, alpha, bias, post;
  uint32_t m, tiles, backward;
};

Launch launch(const Tile& tile, const GemmProblem& problem, const Gpu& gpu, const GemmArgs& args) {
  const auto size = static_cast<uint64_t>(size_of(problem.in));
  const uint64_t m = static_cast<uint64_t>(args.m), n = static_cast<uint64_t>(problem.n), k = static_cast<uint64_t>(problem.k);
  const auto box = static_cast<uint32_t>(kRowBytes / size);
  Params params{
      encode_tensor_map_2d(problem.in, args.a, m, k, k * size, static_cast<uint32_t>(tile.m / tile.cluster_n), box, Swizzle::k128),
      encode_tensor_map_2d(problem.in, args.w, n, k, k * size, static_cast<uint32_t>(tile.n / tile.cluster_m), box, Swizzle::k128),
      args.out,
      args.residual,
      args.alpha,
      args.bias,
      args.post,
      static_cast<uint32_t>(args.m),
      0,
      args.backward};
  const int cluster = tile.cluster_m * tile.cluster_n;
  const int64_t tiles = divide_up(args.m, tile.m * tile.cluster_m) * divide_up(problem.n, tile.n * tile.cluster_n);
  params.tiles = static_cast<uint32_t>(tiles);
  Launch launch;
  launch.cluster.x = static_cast<uint32_t>(cluster);
  launch.grid.x = static_cast<uint32_t>(std::min<int64_t>(gpu.multiprocessors / cluster, tiles) * cluster);
  launch.block.x = 3 * 128;
  launch.shared_bytes = static_cast<uint32_t>(tile.stages * (tile.m + tile.n) * kRowBytes + 1024);
  launch.set_params(params);
  return launch;
}

// One row a type and tile; rows are plain function pointers, so both are template arguments.
template <DType kIn, size_t kTile>
GemmKernel row(std::string_view name) {
  return {name,
          kHopper,
          [](const GemmProblem& problem, const Gpu&) { return accepts(kIn, problem); },
          [](const GemmProblem& problem, const Gpu&) { return program(kTiles[kTile], problem); },
          [](const GemmProblem& problem, const Gpu& gpu, const GemmArgs& args) { return launch(kTiles[kTile], problem, gpu, args); },
          kIn == DType::e4m3 ? Accumulation{kFp8TensorCore.bits, kFp8TensorCore.terms, kTiles[kTile].full_sums ? kRowBytes : 0}
                             : Accumulation{}};
}

}  // namespace

std::span<const GemmKernel> gemm_wgmma_rows() {
  static const std::array rows{
      row<DType::e4m3, 0>("gemm_e4m3_wgmma_128x128"),      row<DType::e4m3, 1>("gemm_e4m3_wgmma_wide_128x128"),
      row<DType::e4m3, 2>("gemm_e4m3_wgmma_64x256"),       row<DType::e4m3, 3>("gemm_e4m3_wgmma_64x128"),
      row<DType::f16, 0>("gemm_f16_wgmma_128x128"),        row<DType::f16, 1>("gemm_f16_wgmma_wide_128x128"),
      row<DType::f16, 2>("gemm_f16_wgmma_64x256"),         row<DType::f16, 3>("gemm_f16_wgmma_64x128"),
      row<DType::bf16, 0>("gemm_bf16_wgmma_128x128"),      row<DType::bf16, 1>("gemm_bf16_wgmma_wide_128x128"),
      row<DType::bf16, 2>("gemm_bf16_wgmma_64x256"),       row<DType::bf16, 3>("gemm_bf16_wgmma_64x128"),
      row<DType::e4m3, 4>("gemm_e4m3_wgmma_128x128_full"),  // other bits: never timed against the rest, runs when asked for
  };
  return rows;
}

}  // namespace octet::cuda
