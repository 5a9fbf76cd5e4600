// A quantization by itself.
#include "cpu/kernels/fake_quantize/fake_quantize.h"
#include "cpu/steps/step.h"

namespace octet::cpu {
namespace {

class FakeQuantizeStep : public PreparedStep {
 public:
  FakeQuantizeStep(const plan::Plan& plan, const plan::FakeQuantize& op)
      : op_(op), problem_{plan.buffers.at(op.in).dtype, plan.buffers.at(op.out).dtype} {
    kernel_ = &choose(fake_quantize_kernels(), problem_, choice);
  }
  void run(const StepRun& run) const override {
    const FakeQuantizeArgs args{run.buffers[op_.in], run.buffers[op_.out], run.batch * op_.rows * op_.cols, op_.scale};
    run.pool.run([&](int thread) { kernel_->run(problem_, args, thread, run.pool.threads()); });
  }

 private:
  plan::FakeQuantize op_;
  FakeQuantizeProblem problem_;
  const FakeQuantizeKernel* kernel_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_fake_quantize(const plan::Plan& plan, const plan::FakeQuantize& op) {
  return std::make_unique<FakeQuantizeStep>(plan, op);
}

}  // namespace octet::cpu
