// Token and position embedding, and patch embedding: the first step of a tower.
#include "base/aligned.h"
#include "cuda/kernels/embed/embed.h"
#include "cuda/kernels/patch_embed/patch_embed.h"
#include "cuda/steps/gemm_kernels.h"
#include "numeric/convert.h"

namespace octet::cuda {
namespace {

class EmbedStep : public PreparedStep {
 public:
  EmbedStep(Preparation& with, const plan::Embed& op)
      : op_(op),
        kernel_(with, embed_kernels(), problem(with.plan, op), choice),
        token_(with.weight(op.token)),
        position_(with.weight(op.position)) {}
  void enqueue(const StepRun& run) const override {
    kernel_.enqueue(run, {run.buffers[op_.ids], run.resident.at(token_), run.resident.at(position_), run.buffers[op_.out], run.batch});
  }

 private:
  static EmbedProblem problem(const plan::Plan& plan, const plan::Embed& op) {
    const plan::Weight& table = plan.weights.at(op.token);
    const plan::Buffer& ids = plan.buffers.at(op.ids);
    return {ids.dtype, table.dtype, ids.dims.back(), table.dims[1], table.dims[0]};
  }
  plan::Embed op_;
  Kernel<EmbedKernel> kernel_;
  size_t token_, position_;
};

PatchEmbedProblem problem_of(const plan::Plan& plan, const plan::PatchEmbed& op) {
  const plan::Buffer& out = plan.buffers.at(op.out);
  PatchEmbedProblem problem{plan.buffers.at(op.pixels).dtype, out.dtype, op.channels, op.height, op.width, op.patch, out.dims.back(),
                            op.class_token != plan::kNoId};
  if (op.table != plan::kNoId) problem.table = plan.weights.at(op.table).dtype;
  return problem;
}

// What both ways of patch embedding need besides the weight.
struct PatchVectors {
  PatchVectors(Preparation& with, const plan::PatchEmbed& op, const PatchEmbedProblem& problem) {
    const auto cols = static_cast<size_t>(problem.cols);
    bias = with.vector(weight_f32(with.plan, op.bias, cols));
    if (problem.class_token) class_token = with.vector(weight_f32(with.plan, op.class_token, cols));
    position = with.vector(weight_f32(with.plan, op.position, static_cast<size_t>(problem.tokens()) * cols));
    if (op.table != plan::kNoId) table = with.weight(op.table);
  }
  Address class_address(const Resident& resident) const { return class_token == SIZE_MAX ? 0 : resident.at(class_token); }
  Address table_address(const Resident& resident) const { return table == SIZE_MAX ? 0 : resident.at(table); }
  size_t bias, class_token = SIZE_MAX, position, table = SIZE_MAX;
};

// One launch on the ordinary cores.
class PatchEmbedStep : public PreparedStep {
 public:
  PatchEmbedStep(Preparation& with, const plan::PatchEmbed& op, const PatchEmbedProblem& problem, StepChoice refusals)
      : op_(op), vectors_(with, op, problem) {
    choice = std::move(refusals);
    kernel_ = std::make_unique<Kernel<PatchEmbedKernel>>(with, patch_embed_kernels(), problem, choice);
    weight_ = with.vector(weight_f32(with.plan, op.weight, 0));
  }
  void enqueue(const StepRun& run) const override {
    const Resident& r = run.resident;
    kernel_->enqueue(run, {run.buffers[op_.pixels], run.buffers[op_.out], r.at(weight_), r.at(vectors_.bias), vectors_.class_address(r),
                           r.at(vectors_.position), vectors_.table_address(r), op_.scale, run.batch});
  }

 private:
  plan::PatchEmbed op_;
  PatchVectors vectors_;
  std::unique_ptr<Kernel<PatchEmbedKernel>> kernel_;
  size_t weight_;
};

// The weight's rows padded by zeros to `k`, in the values' type; SIZE_MAX if its values may not fit there. Codes fit every type.
size_t padded_weight(Preparation& with, const plan::PatchEmbed& op, const PatchEmbedProblem& problem) {
  const DType type = with.plan.weights.at(op.weight).dtype;
  if (type != problem.value() && type != DType::e4m3) return SIZE_MAX;
  const std::byte* const bytes = with.plan.weight_bytes.at(op.weight).data();
  const auto k = static_cast<size_t>(problem.k()), padded_k = static_cast<size_t>(patch_gemm_k(problem));
  std::vector<std::byte> padded(static_cast<size_t>(problem.cols) * padded_k * size_of(problem.value()));
  std::vector<float> row(k);
  for (size_t n = 0; n < static_cast<size_t>(problem.cols); ++n) {
    decode_many(type, bytes + n * k * size_of(type), problem.k(), row.data());
    encode_many(problem.value(), row.data(), problem.k(), padded.data() + n * padded_k * size_of(problem.value()));
  }
  return with.bytes(std::move(padded));
}

// Three launches: patches as rows, a GEMM in the tensor cores, the rest.
class PatchGemmStep : public PreparedStep {
 public:
  PatchGemmStep(Preparation& with, const plan::PatchEmbed& op, const PatchEmbedProblem& problem, size_t weight)
      : op_(op),
        problem_(problem),
        im2col_(with, patch_im2col_kernels(), problem, im2col_choice_),
        gemm_(with, {problem.value(), DType::f32, problem.cols, patch_gemm_k(problem), Act::kNone, false}, choice),
        finish_(with, patch_finish_kernels(), problem, finish_choice_),
        weight_(weight),
        vectors_(with, op, problem) {
    const auto cols = static_cast<size_t>(problem.cols);
    alpha_ = with.vector(std::vector<float>(cols, op.scale));
    zeros_ = with.vector(std::vector<float>(cols));
    choice.kernel = join_names(choice.kernel);
  }
  void enqueue(const StepRun& run) const override {
    const Resident& r = run.resident;
    const Address patches = run.scratch, sums = patches + patch_bytes(run.batch);
    im2col_.enqueue(run, {run.buffers[op_.pixels], patches, vectors_.table_address(r), run.batch});
    GemmArgs args = gemm_args(r, run.batch);
    args.a = patches, args.out = sums;
    gemm_.enqueue(r, run.stream, args, sums + sum_bytes(run.batch));
    finish_.enqueue(run, {sums, run.buffers[op_.out], r.at(vectors_.bias), vectors_.class_address(r), r.at(vectors_.position), run.batch});
  }
  size_t scratch_bytes(int64_t batch) const override {
    return patch_bytes(batch) + sum_bytes(batch) + gemm_.scratch_bytes(batch * problem_.patches());
  }
  void tune(const Resident& resident, const Stream& stream, int64_t batch) const override {
    gemm_.tune(resident, stream, gemm_args(resident, batch));
  }
  std::string kernel(const Resident& resident, int64_t batch) const override {
    return join_names(gemm_.name(resident, batch * problem_.patches()));
  }

 private:
  std::string join_names(const std::string& gemm) const { return fmt::format("{}+{}+{}", im2col_.name(), gemm, finish_.name()); }
  size_t patch_bytes(int64_t batch) const {
    return round_up(static_cast<size_t>(batch * problem_.patches() * patch_gemm_k(problem_)) * size_of(problem_.value()), 256);
  }
  size_t sum_bytes(int64_t batch) const {
    return round_up(static_cast<size_t>(batch * problem_.patches() * problem_.cols) * sizeof(float), 256);
  }
  GemmArgs gemm_args(const Resident& resident, int64_t batch) const {
    GemmArgs args;
    args.w = resident.at(weight_), args.alpha = resident.at(alpha_), args.bias = args.post = resident.at(zeros_);
    args.m = batch * problem_.patches();
    return args;
  }
  plan::PatchEmbed op_;
  PatchEmbedProblem problem_;
  StepChoice im2col_choice_, finish_choice_;
  Kernel<PatchIm2colKernel> im2col_;
  GemmKernels gemm_;
  Kernel<PatchFinishKernel> finish_;
  size_t weight_;
  PatchVectors vectors_;
  size_t alpha_, zeros_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_embed(Preparation& with, const plan::Embed& op) {
  if (op.types != plan::kNoId)
    throw Error(Code::kUnsupported, "the GPU's embedding kernel has no table of token types", "run it with --device cpu");
  return std::make_unique<EmbedStep>(with, op);
}

std::unique_ptr<PreparedStep> prepare_patch_embed(Preparation& with, const plan::PatchEmbed& op) {
  const PatchEmbedProblem problem = problem_of(with.plan, op);
  StepChoice refusals;
  bool im2col = false;
  for (const PatchIm2colKernel& row : patch_im2col_kernels()) {
    Refusal no = accepts_target(with.gpu, row.target);
    if (!no) no = row.accepts(problem, with.gpu);
    if (no) refusals.refused.push_back(std::string(row.name) + ": " + no.reason);
    else im2col = true;
  }
  const size_t weight = im2col ? padded_weight(with, op, problem) : SIZE_MAX;
  if (weight != SIZE_MAX) return std::make_unique<PatchGemmStep>(with, op, problem, weight);
  if (im2col)
    refusals.refused.push_back(
        fmt::format("patch_im2col: the weight is {}, the pixels' values {}", with.plan.weights.at(op.weight).dtype, problem.value()));
  return std::make_unique<PatchEmbedStep>(with, op, problem, std::move(refusals));
}

}  // namespace octet::cuda
