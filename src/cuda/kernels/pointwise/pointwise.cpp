// The table of pointwise kernels. Next: pointwise.cu.
#include "cuda/kernels/pointwise/pointwise.h"

#include <algorithm>

namespace octet::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr int64_t kMostBlocks = 1 << 16;  // threads stride over what is beyond

struct Params {
  Address x, y, residual, bias;
  float scale, mul, out_scale;
  int64_t cols, count;
};

bool is_taken(DType type) { return type == DType::e4m3 || type == DType::f16 || type == DType::bf16 || type == DType::f32; }

Refusal accepts(const PointwiseProblem& p, const Gpu&) {
  if (!is_taken(p.in) || !is_taken(p.out)) return {fmt::format("{} to {}", p.in, p.out)};
  return {};
}
Program program(const PointwiseProblem& p, const Gpu&) {
  return {"pointwise.cu",
          "pointwise",
          {fmt::format("IN={}", p.in), fmt::format("OUT={}", p.out), fmt::format("ACTIVATION={}", static_cast<int>(p.act)),
           fmt::format("RESIDUAL={}", static_cast<int>(p.residual))},
          {}};
}
Launch launch(const PointwiseProblem&, const Gpu&, const PointwiseArgs& a) {
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(std::min<int64_t>((a.count + kThreads - 1) / kThreads, kMostBlocks));
  launch.block.x = kThreads;
  launch.set_params(Params{a.x, a.y, a.residual, a.bias, a.scale, a.mul, a.out_scale, a.cols, a.count});
  return launch;
}

constexpr PointwiseKernel kKernels[] = {{"pointwise_elements", {80}, accepts, program, launch}};

}  // namespace

std::span<const PointwiseKernel> pointwise_kernels() { return kKernels; }

}  // namespace octet::cuda
