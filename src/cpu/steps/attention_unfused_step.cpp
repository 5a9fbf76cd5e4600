// Unfused attention: scores, softmax and values, each a step with its own kernel and buffers.
#include "cpu/kernels/attention/attention_steps.h"
#include "cpu/steps/step.h"

namespace octet::cpu {
namespace {

static_assert(pitch(257) == plan::padded_keys(257) && pitch(8) == plan::padded_keys(8));

DType dtype_of(const plan::Plan& plan, plan::Id id) { return plan.buffers.at(id).dtype; }

// Kernel, problem and what a thread gets of the scratch; `Args` of the family.
template <class Args>
class AttentionPart : public PreparedStep {
 public:
  AttentionPart(std::span<const AttentionStepKernel<Args>> kernels, const AttentionProblem& problem)
      : problem_(problem), kernel_(&choose(kernels, problem_, choice)) {}
  void run(const StepRun& run) const override {
    const Args args = args_of(run);
    const int threads = run.pool.threads();
    run.pool.run([&](int thread) {
      Args mine = args;
      mine.scratch = run.scratch + run.scratch_stride * static_cast<size_t>(thread);
      kernel_->run(problem_, mine, thread, threads);
    });
  }
  size_t scratch_bytes(int64_t, int) const override { return kernel_->scratch_bytes(problem_); }

 protected:
  virtual Args args_of(const StepRun& run) const = 0;
  const std::byte* at(const StepRun& run, const plan::AttentionInput& input) const {
    return run.buffers[input.buffer] + input.column * size_of(problem_.in);
  }

 private:
  AttentionProblem problem_;
  const AttentionStepKernel<Args>* kernel_;
};

class ScoresStep : public AttentionPart<ScoresArgs> {
 public:
  ScoresStep(const plan::Plan& plan, const plan::Scores& op)
      : AttentionPart(scores_kernels(),
                      {dtype_of(plan, op.q.buffer), dtype_of(plan, op.out), op.tokens, op.heads, op.head_dim, op.causal != 0}),
        op_(op) {}

 private:
  ScoresArgs args_of(const StepRun& run) const override {
    return {at(run, op_.q),
            at(run, op_.k),
            op_.q.row_stride,
            op_.k.row_stride,
            run.buffers[op_.out],
            op_.q.scale * op_.k.scale * op_.score_scale,
            run.batch,
            nullptr};
  }
  plan::Scores op_;
};

class SoftmaxStep : public AttentionPart<SoftmaxArgs> {
 public:
  SoftmaxStep(const plan::Plan& plan, const plan::Softmax& op) : AttentionPart(softmax_kernels(), problem_of(plan, op)), op_(op) {}

 private:
  static AttentionProblem problem_of(const plan::Plan& plan, const plan::Softmax& op) {
    AttentionProblem problem{dtype_of(plan, op.in), dtype_of(plan, op.out), op.tokens, op.heads, 1, op.causal != 0};
    if (op.mask != plan::kNoId) problem.mask = dtype_of(plan, op.mask) == DType::i32 ? Mask::kI32 : Mask::kI64;
    return problem;
  }
  SoftmaxArgs args_of(const StepRun& run) const override {
    return {run.buffers[op_.in],
            run.buffers[op_.out],
            1 / op_.out_scale,
            run.batch,
            nullptr,
            op_.mask == plan::kNoId ? nullptr : run.buffers[op_.mask]};
  }
  plan::Softmax op_;
};

class ValuesStep : public AttentionPart<ValuesArgs> {
 public:
  ValuesStep(const plan::Plan& plan, const plan::Values& op)
      : AttentionPart(values_kernels(), {dtype_of(plan, op.in), dtype_of(plan, op.out), op.tokens, op.heads, op.head_dim, op.causal != 0}),
        op_(op) {}

 private:
  ValuesArgs args_of(const StepRun& run) const override {
    return {run.buffers[op_.in], at(run, op_.v), op_.v.row_stride, run.buffers[op_.out], op_.p_scale * op_.v.scale * (1 / op_.out_scale),
            run.batch,           nullptr};
  }
  plan::Values op_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_scores(const plan::Plan& plan, const plan::Scores& op) {
  return std::make_unique<ScoresStep>(plan, op);
}
std::unique_ptr<PreparedStep> prepare_softmax(const plan::Plan& plan, const plan::Softmax& op) {
  return std::make_unique<SoftmaxStep>(plan, op);
}
std::unique_ptr<PreparedStep> prepare_values(const plan::Plan& plan, const plan::Values& op) {
  return std::make_unique<ValuesStep>(plan, op);
}

}  // namespace octet::cpu
