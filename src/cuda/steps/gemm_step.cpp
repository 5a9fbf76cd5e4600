// GEMM: the plan's column ranges become one f32 vector each, with the output's scale folded in (kernels/gemm/gemm.h).
#include "cuda/steps/gemm_kernels.h"

namespace octet::cuda {
namespace {

// Without an activation (acc * alpha + bias) * mul / out_scale is linear: alpha and bias hold all of it, post is not read.
struct Folded {
  std::vector<float> alpha, bias, post;
};
Folded fold(const plan::Plan& plan, const plan::Gemm& op) {
  Folded folded{weight_f32(plan, op.channel_scale, op.n, 1), weight_f32(plan, op.bias, op.n), std::vector<float>(op.n, 1.0f)};
  const bool codes = plan.buffers.at(op.out).dtype == DType::e4m3;
  for (const plan::ColumnRange& range : op.ranges)
    for (uint32_t n = range.begin; n < range.end; ++n) {
      const float post = codes ? range.mul / range.out_scale : range.mul;
      folded.alpha[n] *= range.alpha;
      if (op.activation == plan::Activation::kNone) folded.alpha[n] *= post, folded.bias[n] *= post;
      else folded.post[n] = post;
    }
  return folded;
}

class GemmStep : public PreparedStep {
 public:
  GemmStep(Preparation& with, const plan::Gemm& op)
      : op_(op), kernels_(with, problem(with.plan, op), choice), weight_(with.weight(op.weight)) {
    const Folded folded = fold(with.plan, op);
    alpha_ = with.vector(folded.alpha), bias_ = with.vector(folded.bias), post_ = with.vector(folded.post);
  }

  void enqueue(const StepRun& run) const override {
    GemmArgs args = resident_args(run.resident, run.batch);
    args.a = run.buffers[op_.a], args.out = run.buffers[op_.out];
    args.backward = run.backward;
    if (op_.residual != plan::kNoId) args.residual = run.buffers[op_.residual];
    kernels_.enqueue(run.resident, run.stream, args, run.scratch);
  }
  size_t scratch_bytes(int64_t batch) const override { return kernels_.scratch_bytes(batch * op_.rows); }
  void tune(const Resident& resident, const Stream& stream, int64_t batch) const override {
    kernels_.tune(resident, stream, resident_args(resident, batch));
  }
  std::string kernel(const Resident& resident, int64_t batch) const override { return kernels_.name(resident, batch * op_.rows); }

 private:
  static GemmProblem problem(const plan::Plan& plan, const plan::Gemm& op) {
    return {plan.buffers.at(op.a).dtype,     plan.buffers.at(op.out).dtype, op.n, op.k,
            static_cast<Act>(op.activation), op.residual != plan::kNoId};
  }
  GemmArgs resident_args(const Resident& resident, int64_t batch) const {
    GemmArgs args;
    args.w = resident.at(weight_), args.alpha = resident.at(alpha_), args.bias = resident.at(bias_), args.post = resident.at(post_);
    args.m = batch * op_.rows;
    return args;
  }
  plan::Gemm op_;
  GemmKernels kernels_;
  size_t weight_, alpha_ = 0, bias_ = 0, post_ = 0;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_gemm(Preparation& with, const plan::Gemm& op) { return std::make_unique<GemmStep>(with, op); }

}  // namespace octet::cuda
