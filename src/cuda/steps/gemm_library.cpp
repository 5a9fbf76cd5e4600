#include "cuda/steps/gemm_library.h"

#include "base/aligned.h"

namespace octet::cuda {

Refusal GemmLibrary::accepts(const GemmProblem& problem, const Gpu& gpu) {
  constexpr int64_t kMultiple = 16;
  if (problem.in == DType::f32) return {"f32 inputs"};
  if (problem.in == DType::e4m3 && gpu.sm < 89) return {fmt::format("FP8 needs sm_89, this GPU is sm_{}", gpu.sm)};
  if (problem.n % kMultiple != 0 || problem.k % kMultiple != 0)
    return {fmt::format("n {} or k {} is no multiple of 16", problem.n, problem.k)};
  return {};
}

GemmLibrary::GemmLibrary(Preparation& with, const GemmProblem& problem)
    : problem_(problem), finish_(with, gemm_finish_kernels().front(), problem) {}

size_t GemmLibrary::scratch_bytes(int64_t m) const {
  return round_up(static_cast<size_t>(m * problem_.n) * sizeof(float), 256) + cublaslt::kWorkspace;
}

const cublaslt::Product& GemmLibrary::product(int64_t m) const {
  const std::lock_guard lock(mutex_);
  auto& known = products_[m];
  if (!known) known = std::make_unique<cublaslt::Product>(problem_.in, m, problem_.n, problem_.k);
  return *known;
}

void GemmLibrary::enqueue(const Resident& resident, const Stream& stream, const GemmArgs& args, Address scratch) const {
  const Address workspace = scratch + scratch_bytes(args.m) - cublaslt::kWorkspace;
  product(args.m).enqueue(stream, args.a, args.w, scratch, workspace);
  finish_.enqueue(resident, stream, {scratch, args});
}

}  // namespace octet::cuda
