// A GEMM by cuBLASLt: f32 sums to scratch memory, then our epilogue (kernels/gemm/gemm_finish.h). Runs only when OCTET_CUDA_ROWS names
// gemm_cublaslt: the library picks its algorithm by m, so an item's bits would depend on its batch (docs/decisions/0006).
#pragma once
#include "cuda/driver/cublaslt.h"
#include "cuda/kernels/gemm/gemm_finish.h"
#include "cuda/steps/step.h"

namespace octet::cuda {

inline constexpr std::string_view kGemmLibrary = "gemm_cublaslt";

class GemmLibrary {
 public:
  static Refusal accepts(const GemmProblem& problem, const Gpu& gpu);
  GemmLibrary(Preparation& with, const GemmProblem& problem);
  size_t scratch_bytes(int64_t m) const;
  void enqueue(const Resident& resident, const Stream& stream, const GemmArgs& args, Address scratch) const;

 private:
  const cublaslt::Product& product(int64_t m) const;
  GemmProblem problem_;
  Kernel<GemmFinishKernel> finish_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, std::unique_ptr<cublaslt::Product>> products_;  // by m
};

}  // namespace octet::cuda
