// Unfused attention: scores, softmax and values, each a step with its own kernel and buffers.
#include "cuda/kernels/attention/attention_steps.h"
#include "cuda/steps/step.h"

namespace octet::cuda {
namespace {

DType dtype_of(const plan::Plan& plan, plan::Id id) { return plan.buffers.at(id).dtype; }
bool is_aligned(const plan::AttentionInput& input) { return input.column % 8 == 0 && input.row_stride % 8 == 0; }
Address address_of(const StepRun& run, const plan::AttentionInput& input, DType type) {
  return run.buffers[input.buffer] + input.column * size_of(type);
}

// Where a step's operands lie, by plan operation.
AttentionStepArgs args_of(const StepRun& run, const plan::Scores& op, const AttentionStepProblem& p) {
  return {address_of(run, op.q, p.in),
          address_of(run, op.k, p.in),
          run.buffers[op.out],
          op.q.row_stride,
          op.k.row_stride,
          op.q.scale * op.k.scale * op.score_scale,
          run.batch};
}
AttentionStepArgs args_of(const StepRun& run, const plan::Softmax& op, const AttentionStepProblem&) {
  return {run.buffers[op.in], 0, run.buffers[op.out], 0, 0, 1 / op.out_scale, run.batch};
}
AttentionStepArgs args_of(const StepRun& run, const plan::Values& op, const AttentionStepProblem& p) {
  return {run.buffers[op.in],
          address_of(run, op.v, p.in),
          run.buffers[op.out],
          0,
          op.v.row_stride,
          op.p_scale * op.v.scale * (1 / op.out_scale),
          run.batch};
}

template <class Op>
class AttentionPart : public PreparedStep {
 public:
  AttentionPart(Preparation& with, const Op& op, std::span<const AttentionStepKernel> rows, const AttentionStepProblem& problem)
      : op_(op), problem_(problem), kernel_(with, rows, problem, choice) {}
  void enqueue(const StepRun& run) const override { kernel_.enqueue(run, args_of(run, op_, problem_)); }

 private:
  Op op_;
  AttentionStepProblem problem_;
  Kernel<AttentionStepKernel> kernel_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_scores(Preparation& with, const plan::Scores& op) {
  const AttentionStepProblem problem{
      dtype_of(with.plan, op.q.buffer),    dtype_of(with.plan, op.out), op.tokens, op.heads, op.head_dim, op.causal != 0,
      is_aligned(op.q) && is_aligned(op.k)};
  return std::make_unique<AttentionPart<plan::Scores>>(with, op, scores_kernels(), problem);
}
std::unique_ptr<PreparedStep> prepare_softmax(Preparation& with, const plan::Softmax& op) {
  if (op.mask != plan::kNoId)
    throw Error(Code::kUnsupported, "no attention kernel of the GPU takes a mask of keys", "run it with --device cpu");
  const AttentionStepProblem problem{dtype_of(with.plan, op.in), dtype_of(with.plan, op.out), op.tokens, op.heads, 1, op.causal != 0, true};
  return std::make_unique<AttentionPart<plan::Softmax>>(with, op, softmax_kernels(), problem);
}
std::unique_ptr<PreparedStep> prepare_values(Preparation& with, const plan::Values& op) {
  const AttentionStepProblem problem{
      dtype_of(with.plan, op.in), dtype_of(with.plan, op.out), op.tokens, op.heads, op.head_dim, op.causal != 0, is_aligned(op.v)};
  return std::make_unique<AttentionPart<plan::Values>>(with, op, values_kernels(), problem);
}

}  // namespace octet::cuda
