// Attention: q, k and v usually lie interleaved in one buffer; the three scales fold into one score scale.
#include "cpu/kernels/attention/attention.h"
#include "cpu/steps/step.h"

namespace octet::cpu {
namespace {

static_assert(kMaskedScore == plan::kMaskedScore);

class AttentionStep : public PreparedStep {
 public:
  AttentionStep(const plan::Plan& plan, const plan::Attention& op) : op_(op) {
    const DType in = plan.buffers.at(op.q.buffer).dtype;
    out_ = plan.buffers.at(op.out).dtype;
    bytes_ = size_of(in);
    problem_ = {in, out_, op.tokens, op.heads, op.head_dim, op.causal != 0, op.p_scale > 0};
    if (op.mask != plan::kNoId) problem_.mask = plan.buffers.at(op.mask).dtype == DType::i32 ? Mask::kI32 : Mask::kI64;
    kernel_ = &choose(attention_kernels(), problem_, choice);
  }

  void run(const StepRun& run) const override {
    const AttentionArgs args{at(run, op_.q),
                             at(run, op_.k),
                             at(run, op_.v),
                             op_.q.row_stride,
                             op_.k.row_stride,
                             op_.v.row_stride,
                             run.buffers[op_.out],
                             op_.q.scale * op_.k.scale * op_.score_scale,
                             op_.p_scale,
                             op_.v.scale,
                             out_ == DType::e4m3 ? 1.0f / op_.out_scale : 1.0f,
                             run.batch,
                             nullptr,
                             op_.mask == plan::kNoId ? nullptr : run.buffers[op_.mask]};
    const int threads = run.pool.threads();
    run.pool.run([&](int thread) {
      AttentionArgs mine = args;
      mine.scratch = run.scratch + run.scratch_stride * static_cast<size_t>(thread);
      kernel_->run(problem_, mine, thread, threads);
    });
  }
  size_t scratch_bytes(int64_t, int) const override { return kernel_->scratch_bytes(problem_); }

 private:
  const void* at(const StepRun& run, const plan::AttentionInput& input) const { return run.buffers[input.buffer] + input.column * bytes_; }
  plan::Attention op_;
  DType out_;
  size_t bytes_;
  AttentionProblem problem_;
  const AttentionKernel* kernel_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_attention(const plan::Plan& plan, const plan::Attention& op) {
  return std::make_unique<AttentionStep>(plan, op);
}

}  // namespace octet::cpu
