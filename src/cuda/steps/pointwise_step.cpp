// The epilogue of a product as a step of its own.
#include "cuda/kernels/pointwise/pointwise.h"
#include "cuda/steps/step.h"

namespace octet::cuda {
namespace {

class PointwiseStep : public PreparedStep {
 public:
  PointwiseStep(Preparation& with, const plan::Pointwise& op)
      : op_(op),
        bias_(with.vector(weight_f32(with.plan, op.bias, op.cols))),
        kernel_(with, pointwise_kernels(),
                {with.plan.buffers.at(op.in).dtype, with.plan.buffers.at(op.out).dtype, static_cast<Act>(op.activation),
                 op.residual != plan::kNoId},
                choice) {}
  void enqueue(const StepRun& run) const override {
    kernel_.enqueue(run, {run.buffers[op_.in], run.buffers[op_.out], op_.residual == plan::kNoId ? 0 : run.buffers[op_.residual],
                          run.resident.at(bias_), op_.scale, op_.mul, op_.out_scale, op_.cols, run.batch * op_.rows * op_.cols});
  }

 private:
  plan::Pointwise op_;
  size_t bias_;
  Kernel<PointwiseKernel> kernel_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_pointwise(Preparation& with, const plan::Pointwise& op) {
  return std::make_unique<PointwiseStep>(with, op);
}

}  // namespace octet::cuda
