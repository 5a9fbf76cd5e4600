// Times the patch embedding: patch_embed_bench [options] patch_embed:f16:8x3x224x224/14->1024 (batch x channels x height x width / patch
// -> columns; pixels f16, f32 or u8), f16 weights and output, with a class token. Options: cpu/kernels/kernel_bench.h.
#include "cpu/kernels/kernel_bench.h"
#include "cpu/kernels/patch_embed/patch_embed.h"

namespace octet::cpu {
namespace {

using namespace kernel_bench;

bool bench(const std::string& text, const Options& options) {
  char pixels_name[8];
  long batch, channels, height, width, patch, cols;
  if (std::sscanf(text.c_str(), "patch_embed:%7[a-z0-9]:%ldx%ldx%ldx%ld/%ld->%ld", pixels_name, &batch, &channels, &height, &width, &patch,
                  &cols) != 7)
    return false;
  const auto pixels = parse_dtype(pixels_name);
  if (!pixels) return false;
  const PatchEmbedProblem p{*pixels, DType::f16, DType::f16, channels, height, width, patch, cols, true};
  const int64_t k = channels * patch * patch, count = height / patch * (width / patch);
  const AlignedBytes table = random_values(DType::f16, channels * kPixelValues, 1);
  const AlignedBytes x = random_values(*pixels == DType::u8 ? DType::e4m3 : *pixels, batch * channels * height * width, 1),
                     w = random_values(DType::f16, cols * k, 0.02f);
  const AlignedBytes y(static_cast<size_t>(batch * (count + 1) * cols) * 2);
  const std::vector<float> row_values(static_cast<size_t>(cols), 0.1f), position(static_cast<size_t>((count + 1) * cols), 0.2f);
  for (const PatchEmbedKernel& row : patch_embed_kernels()) {
    if (!wanted(row, p, options)) continue;
    const AlignedBytes packed(row.packed_bytes(p));
    row.pack(p, w.data(), packed.data());
    std::vector<AlignedBytes> scratch;
    for (int t = 0; t < options.threads; ++t) scratch.emplace_back(row.scratch_bytes(p));
    const PatchEmbedArgs args{x.data(), packed.data(), row_values.data(), row_values.data(), position.data(), table.data(), 1, y.data(),
                              batch,    nullptr};
    const double work = 2.0 * static_cast<double>(batch * count) * static_cast<double>(k * cols);
    time_kernel(row.name, options, work, "GFLOP/s", [&](int thread) {
      PatchEmbedArgs mine = args;
      mine.scratch = scratch[static_cast<size_t>(thread)].data();
      row.run(p, mine, thread, options.threads);
    });
  }
  return true;
}

}  // namespace
}  // namespace octet::cpu

int main(int argc, char** argv) {
  return octet::cpu::kernel_bench::bench_main(argc, argv, {"patch_embed:f16:8x3x224x224/14->1024"}, octet::cpu::bench);
}
