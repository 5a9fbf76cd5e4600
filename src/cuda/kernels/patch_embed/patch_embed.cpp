// The tables of patch embedding kernels: one row for each launch. Next: patch_im2col.cu, patch_im2col_bytes.cu, patch_finish.cu;
// patch_embed_simt.cu.
#include "cuda/kernels/patch_embed/patch_embed.h"

namespace octet::cuda {
namespace {

constexpr int64_t kFinishWarps = 4, kFinishItems = 4;  // of patch_finish.cu
constexpr int64_t kTile = 64;                          // of simt_tile.cuh
constexpr int64_t kPixelValues = 256;                  // of patch_im2col_bytes.cu

// The devices' Params.
struct Im2colParams {
  Address pixels, patches;
  int32_t aligned;
};
struct BytesParams {
  Address pixels, patches, table;
  int32_t aligned;
};
struct FinishParams {
  Address sums, y, bias, class_token, position;
  int64_t batch;
};
struct SimtParams {
  Address pixels, y, w, bias, class_token, position, table;
  float scale;
  int64_t batch;
};

Launch launch_of(int64_t blocks, uint32_t threads) {
  OCTET_CHECK(blocks > 0 && blocks <= INT32_MAX, blocks);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = threads;
  return launch;
}
std::vector<std::string> picture_defines(const PatchEmbedProblem& p) {
  return {fmt::format("IN={}", p.value()), fmt::format("CHANNELS={}", p.channels), fmt::format("HEIGHT={}", p.height),
          fmt::format("WIDTH={}", p.width), fmt::format("PATCH={}", p.patch)};
}

Refusal accepts(const PatchEmbedProblem& p, const Gpu&) {
  const auto is_float = [](DType type) { return type == DType::f16 || type == DType::bf16 || type == DType::f32; };
  if (!is_float(p.value()) || !is_float(p.out)) return {fmt::format("patches of {} to {}", p.value(), p.out)};
  if (p.patch <= 0 || p.height % p.patch != 0 || p.width % p.patch != 0)
    return {fmt::format("patches of {} do not tile {}x{}", p.patch, p.height, p.width)};
  if (p.k() > INT32_MAX - 64 || p.channels * p.height * p.width > INT32_MAX || p.cols <= 0 || p.cols > INT32_MAX)
    return {fmt::format("pictures of {}x{}x{} to rows of {}", p.channels, p.height, p.width, p.cols)};
  return {};
}

// Of shared memory: a band, and the table of bytes.
int64_t table_bytes(const PatchEmbedProblem& p) {
  return p.pixels == DType::u8 ? p.channels * kPixelValues * static_cast<int64_t>(size_of(p.table)) : 0;
}
int64_t band_bytes(const PatchEmbedProblem& p) { return p.channels * p.patch * p.width * static_cast<int64_t>(size_of(p.pixels)); }
template <bool kBytes>
Refusal accepts_im2col(const PatchEmbedProblem& p, const Gpu& gpu) {
  if (Refusal no = accepts(p, gpu)) return no;
  if ((p.pixels == DType::u8) != kBytes) return {fmt::format("reads pixels of {}, not {}", kBytes ? "u8" : "floats", p.pixels)};
  if (band_bytes(p) + table_bytes(p) > static_cast<int64_t>(gpu.shared_per_block))
    return {fmt::format("a band of patches takes {} bytes of {} of shared memory", band_bytes(p) + table_bytes(p), gpu.shared_per_block)};
  return {};
}
Program im2col_program(const PatchEmbedProblem& p, const char* name) {
  Program program{fmt::format("{}.cu", name), name, picture_defines(p), {}};
  program.defines.push_back(fmt::format("PADDED={}", patch_gemm_k(p)));
  return program;
}
Program program_im2col(const PatchEmbedProblem& p, const Gpu&) { return im2col_program(p, "patch_im2col"); }
Program program_bytes(const PatchEmbedProblem& p, const Gpu&) { return im2col_program(p, "patch_im2col_bytes"); }
Launch launch_im2col(const PatchEmbedProblem& p, const Gpu&, const PatchIm2colArgs& a) {
  Launch launch = launch_of(a.batch * (p.height / p.patch), 256);
  launch.shared_bytes = static_cast<uint32_t>(band_bytes(p));
  const auto line = static_cast<uint64_t>(p.width) * size_of(p.pixels);
  const bool aligned =
      a.pixels % 16 == 0 && line * static_cast<uint64_t>(p.height) % 16 == 0 && line * static_cast<uint64_t>(p.patch) % 16 == 0;
  launch.set_params(Im2colParams{a.pixels, a.patches, aligned});
  return launch;
}

Launch launch_bytes(const PatchEmbedProblem& p, const Gpu&, const PatchIm2colArgs& a) {
  Launch launch = launch_of(a.batch * (p.height / p.patch), 256);
  launch.shared_bytes = static_cast<uint32_t>(table_bytes(p) + band_bytes(p));
  launch.set_params(BytesParams{a.pixels, a.patches, a.table, a.pixels % 16 == 0});
  return launch;
}

Program program_finish(const PatchEmbedProblem& p, const Gpu&) {
  return {"patch_finish.cu",
          "patch_finish",
          {fmt::format("OUT={}", p.out), fmt::format("TOKENS={}", p.tokens()), fmt::format("COLS={}", p.cols),
           fmt::format("CLASS={}", int{p.class_token})},
          {}};
}
Launch launch_finish(const PatchEmbedProblem& p, const Gpu&, const PatchFinishArgs& a) {
  const int64_t warps = (a.batch + kFinishItems - 1) / kFinishItems * p.tokens();
  Launch launch = launch_of((warps + kFinishWarps - 1) / kFinishWarps, 32 * kFinishWarps);
  launch.set_params(FinishParams{a.sums, a.y, a.bias, a.class_token, a.position, a.batch});
  return launch;
}

Program program_simt(const PatchEmbedProblem& p, const Gpu&) {
  Program program{"patch_embed_simt.cu", "patch_embed_simt", picture_defines(p), {}};
  program.defines.insert(program.defines.end(),
                         {fmt::format("OUT={}", p.out), fmt::format("COLS={}", p.cols), fmt::format("CLASS={}", int{p.class_token}),
                          fmt::format("BYTES={}", int{p.pixels == DType::u8})});
  return program;
}
Launch launch_simt(const PatchEmbedProblem& p, const Gpu&, const PatchEmbedArgs& a) {
  Launch launch = launch_of((a.batch * p.tokens() + kTile - 1) / kTile * ((p.cols + kTile - 1) / kTile), 256);
  launch.set_params(SimtParams{a.pixels, a.y, a.w, a.bias, a.class_token, a.position, a.table, a.scale, a.batch});
  return launch;
}

constexpr PatchIm2colKernel kIm2col[] = {{"patch_im2col", {80}, accepts_im2col<false>, program_im2col, launch_im2col},
                                         {"patch_im2col_bytes", {80}, accepts_im2col<true>, program_bytes, launch_bytes}};
constexpr PatchFinishKernel kFinish[] = {{"patch_finish", {80}, accepts, program_finish, launch_finish}};
constexpr PatchEmbedKernel kPatchEmbed[] = {{"patch_embed_simt", {80}, accepts, program_simt, launch_simt}};

}  // namespace

std::span<const PatchIm2colKernel> patch_im2col_kernels() { return kIm2col; }
std::span<const PatchFinishKernel> patch_finish_kernels() { return kFinish; }
std::span<const PatchEmbedKernel> patch_embed_kernels() { return kPatchEmbed; }

}  // namespace octet::cuda
