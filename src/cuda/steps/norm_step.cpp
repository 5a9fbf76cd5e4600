// LayerNorm with the next GEMM's quantization.
#include "cuda/kernels/norm/norm.h"
#include "cuda/steps/step.h"

namespace octet::cuda {
namespace {

class NormStep : public PreparedStep {
 public:
  NormStep(Preparation& with, const plan::Norm& op)
      : op_(op),
        out_(with.plan.buffers.at(op.out).dtype),
        kernel_(with, norm_kernels(), {with.plan.buffers.at(op.in).dtype, out_, op.cols}, choice),
        gamma_(with.vector(weight_f32(with.plan, op.gamma, op.cols, 1))),
        beta_(with.vector(weight_f32(with.plan, op.beta, op.cols))) {}

  void enqueue(const StepRun& run) const override {
    kernel_.enqueue(run, {run.buffers[op_.in], run.buffers[op_.out], run.resident.at(gamma_), run.resident.at(beta_), op_.epsilon,
                          out_ == DType::e4m3 ? 1.0f / op_.out_scale : 1.0f, run.batch * op_.rows, run.backward});
  }

 private:
  plan::Norm op_;
  DType out_;
  Kernel<NormKernel> kernel_;
  size_t gamma_, beta_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_norm(Preparation& with, const plan::Norm& op) { return std::make_unique<NormStep>(with, op); }

}  // namespace octet::cuda
