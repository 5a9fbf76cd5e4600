// Attention: q, k and v usually lie interleaved in one buffer; the three scales fold into one score scale.
#include "cuda/kernels/attention/attention.h"
#include "cuda/steps/step.h"

namespace octet::cuda {
namespace {

class AttentionStep : public PreparedStep {
 public:
  AttentionStep(Preparation& with, const plan::Attention& op)
      : op_(op),
        in_(with.plan.buffers.at(op.q.buffer).dtype),
        out_(with.plan.buffers.at(op.out).dtype),
        kernel_(with, attention_kernels(), {in_, out_, op.tokens, op.heads, op.head_dim, op.causal != 0, op.p_scale > 0, aligned()}, choice) {}

  void enqueue(const StepRun& run) const override {
    const auto at = [&](const plan::AttentionInput& input) { return run.buffers[input.buffer] + input.column * size_of(in_); };
    kernel_.enqueue(run, {at(op_.q), at(op_.k), at(op_.v), run.buffers[op_.out], op_.q.row_stride, op_.k.row_stride, op_.v.row_stride,
                          op_.q.scale * op_.k.scale * op_.score_scale, op_.p_scale, op_.v.scale,
                          out_ == DType::e4m3 ? 1.0f / op_.out_scale : 1.0f, run.batch});
  }

 private:
  // Every row of q, k and v begins at a multiple of 16 bytes, as buffers do.
  bool aligned() const {
    const auto fits = [&](const plan::AttentionInput& input) {
      return input.column * size_of(in_) % 16 == 0 && input.row_stride * size_of(in_) % 16 == 0;
    };
    return fits(op_.q) && fits(op_.k) && fits(op_.v);
  }
  plan::Attention op_;
  DType in_, out_;
  Kernel<AttentionKernel> kernel_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_attention(Preparation& with, const plan::Attention& op) {
  return std::make_unique<AttentionStep>(with, op);
}

}  // namespace octet::cuda
