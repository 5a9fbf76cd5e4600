// The GEMM rows that take a problem: one, or several tiles of one design that compete by time at every m; or cuBLASLt where asked for.
#pragma once
#include "cuda/steps/gemm_library.h"

namespace octet::cuda {

class GemmKernels {
 public:
  GemmKernels(Preparation& with, const GemmProblem& problem, StepChoice& choice);
  // args: weights and vectors are read; the activations are the tuner's own.
  void tune(const Resident& resident, const Stream& stream, const GemmArgs& args) const;
  void enqueue(const Resident& resident, const Stream& stream, const GemmArgs& args, Address scratch) const;
  size_t scratch_bytes(int64_t m) const { return library_ ? library_->scratch_bytes(m) : 0; }
  std::string name(const Resident& resident, int64_t m) const;

 private:
  class Trial;
  std::string key(int64_t m) const;
  GemmProblem problem_;
  std::vector<Kernel<GemmKernel>> kernels_;
  std::vector<Tuning::Candidate> candidates_;
  std::unique_ptr<GemmLibrary> library_;  // goes before the kernels
};

}  // namespace octet::cuda
