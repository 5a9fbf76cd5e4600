// LayerNorm with the next GEMM's quantization.
#include "cpu/kernels/norm/norm.h"
#include "cpu/steps/step.h"

namespace octet::cpu {
namespace {

class NormStep : public PreparedStep {
 public:
  NormStep(const plan::Plan& plan, const plan::Norm& op) : op_(op) {
    const DType out = plan.buffers.at(op.out).dtype;
    problem_ = {plan.buffers.at(op.in).dtype, out, op.cols};
    kernel_ = &choose(norm_kernels(), problem_, choice);
    gamma_ = weight_f32(plan, op.gamma, op.cols, 1);
    beta_ = weight_f32(plan, op.beta, op.cols);
    inv_out_scale_ = out == DType::e4m3 ? 1.0f / op.out_scale : 1.0f;
  }
  void run(const StepRun& run) const override {
    const NormArgs args{run.buffers[op_.in], run.buffers[op_.out], gamma_.data(),       beta_.data(),
                        op_.epsilon,         inv_out_scale_,       run.batch * op_.rows};
    run.pool.run([&](int thread) { kernel_->run(problem_, args, thread, run.pool.threads()); });
  }
  size_t weight_bytes() const override { return 2 * sizeof(float) * op_.cols; }

 private:
  plan::Norm op_;
  NormProblem problem_;
  const NormKernel* kernel_;
  std::vector<float> gamma_, beta_;
  float inv_out_scale_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_norm(const plan::Plan& plan, const plan::Norm& op) { return std::make_unique<NormStep>(plan, op); }

}  // namespace octet::cpu
