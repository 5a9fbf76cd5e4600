// GEMM: expands the plan's column ranges to one f32 vector each, packs the weight in the chosen kernel's order.
#include <array>

#include "cpu/kernels/gemm/gemm.h"
#include "cpu/steps/step.h"
#include "numeric/convert.h"

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

// Codes as bf16 values, which are exact.
AlignedBytes widened(std::span<const std::byte> codes) {
  static const auto table = [] {
    std::array<uint16_t, 256> values{};
    for (size_t code = 0; code < values.size(); ++code) values[code] = encode_bf16(decode_e4m3(static_cast<uint8_t>(code)));
    return values;
  }();
  AlignedBytes out(codes.size() * sizeof(uint16_t));
  auto* to = reinterpret_cast<uint16_t*>(out.data());
  for (size_t i = 0; i < codes.size(); ++i) to[i] = table[std::to_integer<size_t>(codes[i])];
  return out;
}

class GemmStep : public PreparedStep {
 public:
  GemmStep(const plan::Plan& plan, const plan::Gemm& op, GemmForms forms) : op_(op), problem_(problem_of(plan, op, forms)) {
    const DType out = problem_.out;
    kernel_ = &choose(gemm_kernels(), problem_, choice);
    if (forms.prepack == Prepack::kBf16 && problem_.w == DType::e4m3) choose_widened();
    pack(plan.weights.at(op.weight).dtype, plan.weight_bytes.at(op.weight));
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
  // The row of the same arithmetic that reads widened weights, if there is one.
  void choose_widened() {
    GemmProblem problem = problem_;
    problem.w = DType::bf16;
    StepChoice of_widened;
    const GemmKernel& row = choose(gemm_kernels(), problem, of_widened);
    if (row.isa != kernel_->isa || row.isa == kPortable) {
      choice.refused.push_back(fmt::format("prepack=bf16: {} reads weights of one byte", kernel_->name));
      return;
    }
    problem_ = problem, kernel_ = &row, choice = of_widened;
  }
  void pack(DType stored, std::span<const std::byte> weight) {
    packed_ = AlignedBytes(kernel_->packed_bytes(problem_));
    if (problem_.w == stored) return kernel_->pack(problem_, weight.data(), packed_.data());
    kernel_->pack(problem_, widened(weight).data(), packed_.data());
  }

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
