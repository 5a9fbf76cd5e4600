// Attention: q, k and v usually lie interleaved in one buffer; the three scales fold into one score scale. One launch, or, where
// CudaOptions::rows asks for it, the three of the unfused baseline.
#include <algorithm>

#include "cuda/kernels/attention/attention_unfused.h"
#include "cuda/steps/step.h"

namespace octet::cuda {
namespace {

AttentionProblem problem_of(const plan::Plan& plan, const plan::Attention& op) {
  return {
      plan.buffers.at(op.q.buffer).dtype, plan.buffers.at(op.out).dtype, op.tokens, op.heads, op.head_dim, op.causal != 0, op.p_scale > 0};
}
AttentionArgs args_of(const StepRun& run, const plan::Attention& op, const AttentionProblem& problem) {
  const auto at = [&](const plan::AttentionInput& input) { return run.buffers[input.buffer] + input.column * size_of(problem.in); };
  return {at(op.q),
          at(op.k),
          at(op.v),
          run.buffers[op.out],
          op.q.row_stride,
          op.k.row_stride,
          op.v.row_stride,
          op.q.scale * op.k.scale * op.score_scale,
          op.p_scale,
          op.v.scale,
          problem.out == DType::e4m3 ? 1.0f / op.out_scale : 1.0f,
          run.batch,
          run.backward};
}

class AttentionStep : public PreparedStep {
 public:
  AttentionStep(Preparation& with, const plan::Attention& op, StepChoice refusals)
      : op_(op), problem_(problem_of(with.plan, op)), kernel_(with, attention_kernels(), problem_, refusals) {
    choice = std::move(refusals);
  }
  void enqueue(const StepRun& run) const override { kernel_.enqueue(run, args_of(run, op_, problem_)); }

 private:
  plan::Attention op_;
  AttentionProblem problem_;
  Kernel<AttentionKernel> kernel_;
};

class UnfusedAttentionStep : public PreparedStep {
 public:
  UnfusedAttentionStep(Preparation& with, const plan::Attention& op, const AttentionUnfusedRow& row, const AttentionUnfusedProblem& problem)
      : op_(op),
        problem_(problem),
        scores_(with, row.scores, problem),
        softmax_(with, row.softmax, problem),
        values_(with, row.values, problem) {
    choice.kernel = row.name;
  }
  void enqueue(const StepRun& run) const override {
    const AttentionUnfusedArgs args{args_of(run, op_, problem_), run.scratch};
    scores_.enqueue(run, args);
    softmax_.enqueue(run, args);
    values_.enqueue(run, args);
  }
  size_t scratch_bytes(int64_t batch) const override { return attention_scores_bytes(problem_, batch); }

 private:
  plan::Attention op_;
  AttentionUnfusedProblem problem_;
  Kernel<AttentionUnfusedKernel> scores_, softmax_, values_;
};

// Buffers begin at multiples of 64 bytes, whatever the batch.
bool is_aligned(const plan::AttentionInput& input) { return input.column % 8 == 0 && input.row_stride % 8 == 0; }

// Never a choice of its own: a part of an option that names other rows too does not mean this one.
bool asks_for_unfused(const CudaOptions& options, std::string_view name) {
  return std::ranges::any_of(options.rows, [&](const std::string& part) {
    return part.find("unfused") != std::string::npos && name.find(part) != std::string_view::npos;
  });
}

}  // namespace

std::unique_ptr<PreparedStep> prepare_attention(Preparation& with, const plan::Attention& op) {
  if (op.mask != plan::kNoId)
    throw Error(Code::kUnsupported, "no attention kernel of the GPU takes a mask of keys", "run it with --device cpu");
  AttentionUnfusedProblem unfused{problem_of(with.plan, op), is_aligned(op.q) && is_aligned(op.k) && is_aligned(op.v)};
  StepChoice refusals;
  for (const AttentionUnfusedRow& row : attention_unfused_rows()) {
    Refusal no = accepts_target(with.gpu, row.scores.target);
    if (!no) no = row.scores.accepts(unfused, with.gpu);
    if (!no && !asks_for_unfused(with.options, row.name))
      no = {fmt::format("a baseline, runs where OCTET_CUDA_ROWS={} names it", row.name)};
    if (!no) return std::make_unique<UnfusedAttentionStep>(with, op, row, unfused);
    refusals.refused.push_back(std::string(row.name) + ": " + no.reason);
  }
  return std::make_unique<AttentionStep>(with, op, std::move(refusals));
}

}  // namespace octet::cuda
