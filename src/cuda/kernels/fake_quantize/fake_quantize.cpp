// The table of fake_quantize kernels. Next: fake_quantize.cu.
#include "cuda/kernels/fake_quantize/fake_quantize.h"

#include <algorithm>

namespace octet::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr int64_t kMostBlocks = 1 << 16;  // threads stride over what is beyond

struct Params {
  Address x, y;
  float scale;
  int64_t count;
};

Refusal accepts(const FakeQuantizeProblem& p, const Gpu&) {
  if (p.out != DType::f16 && p.out != DType::bf16 && p.out != DType::f32) return {fmt::format("values of {}", p.out)};
  if (p.in != p.out && p.in != DType::e4m3) return {fmt::format("{} to {}", p.in, p.out)};
  return {};
}
Program program(const FakeQuantizeProblem& p, const Gpu&) {
  return {"fake_quantize.cu", "fake_quantize", {fmt::format("IN={}", p.in), fmt::format("OUT={}", p.out)}, {}};
}
Launch launch(const FakeQuantizeProblem&, const Gpu&, const FakeQuantizeArgs& a) {
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(std::min<int64_t>((a.count + kThreads - 1) / kThreads, kMostBlocks));
  launch.block.x = kThreads;
  launch.set_params(Params{a.x, a.y, a.scale, a.count});
  return launch;
}

constexpr FakeQuantizeKernel kKernels[] = {{"fake_quantize_elements", {80}, accepts, program, launch}};

}  // namespace

std::span<const FakeQuantizeKernel> fake_quantize_kernels() { return kKernels; }

}  // namespace octet::cuda
