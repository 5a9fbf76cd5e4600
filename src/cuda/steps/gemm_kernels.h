// The GEMM rows that take a problem: one, or several tiles of one design that compete by time at every m.
#pragma once
#include "cuda/kernels/gemm/gemm.h"
#include "cuda/steps/step.h"

namespace octet::cuda {

class GemmKernels {
 public:
  GemmKernels(Preparation& with, const GemmProblem& problem, StepChoice& choice);
  // args: weights and vectors are read; the activations are the tuner's own.
  void tune(const Resident& resident, const Stream& stream, const GemmArgs& args) const;
  void enqueue(const Resident& resident, const Stream& stream, const GemmArgs& args) const;
  std::string name(const Resident& resident, int64_t m) const;

 private:
  std::string key(int64_t m) const;
  GemmProblem problem_;
  std::vector<Kernel<GemmKernel>> kernels_;
  std::vector<Tuning::Candidate> candidates_;
};

}  // namespace octet::cuda
