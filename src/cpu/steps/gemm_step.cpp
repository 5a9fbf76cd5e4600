// GEMM: expands the plan's column ranges to one f32 vector each, packs the weight in the chosen kernel's order.
#include "cpu/kernels/gemm/gemm.h"
#include "cpu/steps/step.h"

namespace octet::cpu {
namespace {

GemmProblem problem_of(const plan::Plan& plan, const plan::Gemm& op, GemmForms forms) {
  return {plan.buffers.at(op.a).dtype,
          plan.weights.at(op.weight).dtype,
          plan.buffers.at(op.out).dtype,
          op.n,
          op.k,
          static_cast<Act>(op.activation),
          op.residual != plan::kNoId,
          forms.tiled_a,
          forms.tiled_out};
}

class GemmStep : public PreparedStep {
 public:
  GemmStep(const plan::Plan& plan, const plan::Gemm& op, GemmForms forms) : op_(op), problem_(problem_of(plan, op, forms)) {
    const DType out = problem_.out;
    kernel_ = &choose(gemm_kernels(), problem_, choice);
    packed_ = AlignedBytes(kernel_->packed_bytes(problem_));
    kernel_->pack(problem_, plan.weight_bytes.at(op.weight).data(), packed_.data());
    bias_ = weight_f32(plan, op.bias, op.n);
    alpha_ = weight_f32(plan, op.channel_scale, op.n, 1);
    mul_.resize(op.n);
    inv_out_scale_.resize(op.n);
    for (const plan::ColumnRange& range : op.ranges)
      for (uint32_t n = range.begin; n < range.end; ++n) {
        alpha_[n] *= range.alpha;
        mul_[n] = range.mul;
        inv_out_scale_[n] = out == DType::e4m3 ? 1.0f / range.out_scale : 1.0f;
      }
  }

  void run(const StepRun& run) const override {
    GemmArgs args{run.buffers[op_.a],    run.batch * op_.rows,
                  packed_.data(),        alpha_.data(),
                  bias_.data(),          mul_.data(),
                  inv_out_scale_.data(), op_.residual == plan::kNoId ? nullptr : run.buffers[op_.residual],
                  run.buffers[op_.out],  nullptr};
    const int threads = run.pool.threads();
    run.pool.run([&](int thread) {
      GemmArgs mine = args;
      mine.scratch = run.scratch + run.scratch_stride * static_cast<size_t>(thread);
      kernel_->run(problem_, mine, thread, threads);
    });
  }
  size_t scratch_bytes(int64_t batch, int threads) const override { return kernel_->scratch_bytes(problem_, batch * op_.rows, threads); }
  size_t weight_bytes() const override { return packed_.size() + 4 * sizeof(float) * op_.n; }

 private:
  plan::Gemm op_;
  GemmProblem problem_;
  const GemmKernel* kernel_;
  AlignedBytes packed_;
  std::vector<float> alpha_, bias_, mul_, inv_out_scale_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_gemm(const plan::Plan& plan, const plan::Gemm& op, GemmForms forms) {
  return std::make_unique<GemmStep>(plan, op, forms);
}

bool accepts_forms(const plan::Plan& plan, const plan::Gemm& op, GemmForms forms) {
  StepChoice ignored;
  return !choose(gemm_kernels(), problem_of(plan, op, {}), ignored).accepts(problem_of(plan, op, forms));
}

}  // namespace octet::cpu
