// Row gather (CLS or EOS) and L2 normalisation: a few rows a batch, run by one thread.
#include "cpu/kernels/pool/pool.h"
#include "cpu/steps/step.h"

namespace octet::cpu {
namespace {

class PoolStep : public PreparedStep {
 public:
  PoolStep(const plan::Plan& plan, const plan::Pool& op) : op_(op) {
    choice.kernel = "pool_portable";
    row_bytes_ = static_cast<int64_t>(op.cols * size_of(plan.buffers.at(op.in).dtype));
    if (op.ids == plan::kNoId) return;
    ids_dtype_ = plan.buffers.at(op.ids).dtype;
    tokens_ = plan.buffers.at(op.ids).dims.back();
  }
  void run(const StepRun& run) const override {
    pool({run.buffers[op_.in], op_.ids == plan::kNoId ? nullptr : run.buffers[op_.ids], ids_dtype_, run.buffers[op_.out], run.batch,
          op_.rows, row_bytes_, tokens_, op_.index, static_cast<PoolMode>(op_.mode)});
  }

 private:
  plan::Pool op_;
  DType ids_dtype_ = DType::i64;
  int64_t row_bytes_, tokens_ = 0;
};

class L2NormalizeStep : public PreparedStep {
 public:
  L2NormalizeStep(const plan::Plan& plan, const plan::L2Normalize& op) : op_(op), dtype_(plan.buffers.at(op.in).dtype) {
    choice.kernel = "l2normalize_portable";
  }
  void run(const StepRun& run) const override {
    l2normalize(dtype_, run.buffers[op_.in], run.buffers[op_.out], run.batch, op_.cols, op_.epsilon);
  }

 private:
  plan::L2Normalize op_;
  DType dtype_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_pool(const plan::Plan& plan, const plan::Pool& op) { return std::make_unique<PoolStep>(plan, op); }
std::unique_ptr<PreparedStep> prepare_l2normalize(const plan::Plan& plan, const plan::L2Normalize& op) {
  return std::make_unique<L2NormalizeStep>(plan, op);
}

}  // namespace octet::cpu
