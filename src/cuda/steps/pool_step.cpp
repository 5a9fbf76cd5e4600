// Row gather (CLS or EOS) and L2 normalisation.
#include "cuda/kernels/pool/pool.h"
#include "cuda/steps/step.h"

namespace octet::cuda {
namespace {

PoolProblem problem_of(const plan::Plan& plan, const plan::Pool& op) {
  PoolProblem problem;
  problem.type = plan.buffers.at(op.in).dtype;
  problem.rows = op.rows, problem.cols = op.cols;
  problem.mode = static_cast<PoolMode>(op.mode);
  if (op.ids == plan::kNoId) return problem;
  problem.ids = plan.buffers.at(op.ids).dtype;
  problem.tokens = plan.buffers.at(op.ids).dims.back();
  return problem;
}

class PoolStep : public PreparedStep {
 public:
  PoolStep(Preparation& with, const plan::Pool& op) : op_(op), kernel_(with, pool_kernels(), problem_of(with.plan, op), choice) {}
  void enqueue(const StepRun& run) const override {
    const Address ids = op_.ids == plan::kNoId ? 0 : run.buffers[op_.ids];
    kernel_.enqueue(run, {run.buffers[op_.in], ids, run.buffers[op_.out], op_.index, run.batch});
  }

 private:
  plan::Pool op_;
  Kernel<PoolKernel> kernel_;
};

class L2NormalizeStep : public PreparedStep {
 public:
  L2NormalizeStep(Preparation& with, const plan::L2Normalize& op)
      : op_(op), kernel_(with, l2normalize_kernels(), {with.plan.buffers.at(op.in).dtype, op.cols}, choice) {
    const plan::Buffer& in = with.plan.buffers.at(op.in);
    rows_per_item_ = static_cast<int64_t>(plan::bytes_per_item(in) / (op.cols * size_of(in.dtype)));
  }
  void enqueue(const StepRun& run) const override {
    kernel_.enqueue(run, {run.buffers[op_.in], run.buffers[op_.out], op_.epsilon, run.batch * rows_per_item_});
  }

 private:
  plan::L2Normalize op_;
  Kernel<L2NormalizeKernel> kernel_;
  int64_t rows_per_item_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_pool(Preparation& with, const plan::Pool& op) { return std::make_unique<PoolStep>(with, op); }
std::unique_ptr<PreparedStep> prepare_l2normalize(Preparation& with, const plan::L2Normalize& op) {
  return std::make_unique<L2NormalizeStep>(with, op);
}

}  // namespace octet::cuda
