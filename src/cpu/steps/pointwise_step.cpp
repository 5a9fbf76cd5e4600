// The epilogue of a product as a step of its own.
#include "cpu/kernels/pointwise/pointwise.h"
#include "cpu/steps/step.h"

namespace octet::cpu {
namespace {

class PointwiseStep : public PreparedStep {
 public:
  PointwiseStep(const plan::Plan& plan, const plan::Pointwise& op)
      : op_(op),
        problem_{plan.buffers.at(op.in).dtype, plan.buffers.at(op.out).dtype, op.cols, static_cast<Act>(op.activation)},
        kernel_(&choose(pointwise_kernels(), problem_, choice)) {
    if (op.bias != plan::kNoId) bias_ = weight_f32(plan, op.bias, op.cols);
  }
  void run(const StepRun& run) const override {
    const PointwiseArgs args{run.buffers[op_.in],
                             bias_.empty() ? nullptr : bias_.data(),
                             op_.residual == plan::kNoId ? nullptr : run.buffers[op_.residual],
                             run.buffers[op_.out],
                             run.batch * op_.rows,
                             op_.scale,
                             op_.mul,
                             op_.out_scale};
    run.pool.run([&](int thread) { kernel_->run(problem_, args, thread, run.pool.threads()); });
  }
  size_t weight_bytes() const override { return sizeof(float) * bias_.size(); }

 private:
  plan::Pointwise op_;
  PointwiseProblem problem_;
  const PointwiseKernel* kernel_;
  std::vector<float> bias_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_pointwise(const plan::Plan& plan, const plan::Pointwise& op) {
  return std::make_unique<PointwiseStep>(plan, op);
}

}  // namespace octet::cpu
