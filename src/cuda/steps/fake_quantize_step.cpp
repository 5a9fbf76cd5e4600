// A quantization by itself.
#include "cuda/kernels/fake_quantize/fake_quantize.h"
#include "cuda/steps/step.h"

namespace octet::cuda {
namespace {

class FakeQuantizeStep : public PreparedStep {
 public:
  FakeQuantizeStep(Preparation& with, const plan::FakeQuantize& op)
      : op_(op), kernel_(with, fake_quantize_kernels(), {with.plan.buffers.at(op.in).dtype, with.plan.buffers.at(op.out).dtype}, choice) {}
  void enqueue(const StepRun& run) const override {
    kernel_.enqueue(run, {run.buffers[op_.in], run.buffers[op_.out], op_.scale, run.batch * op_.rows * op_.cols});
  }

 private:
  plan::FakeQuantize op_;
  Kernel<FakeQuantizeKernel> kernel_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_fake_quantize(Preparation& with, const plan::FakeQuantize& op) {
  return std::make_unique<FakeQuantizeStep>(with, op);
}

}  // namespace octet::cuda
