// Token and position embedding, and patch embedding: the first step of a tower.
#include <atomic>

#include "cpu/kernels/embed/embed.h"
#include "cpu/kernels/patch_embed/patch_embed.h"
#include "cpu/steps/step.h"
#include "numeric/convert.h"

namespace octet::cpu {
namespace {

class EmbedStep : public PreparedStep {
 public:
  EmbedStep(const plan::Plan& plan, const plan::Embed& op)
      : op_(op), token_(plan.weight_bytes.at(op.token)), position_(plan.weight_bytes.at(op.position)) {
    const plan::Weight& table = plan.weights.at(op.token);
    problem_ = {plan.buffers.at(op.ids).dtype, table.dtype, plan.buffers.at(op.ids).dims.back(), table.dims[1], table.dims[0]};
    if (op.types != plan::kNoId) problem_.types = plan.weights.at(op.type).dims[0], type_ = plan.weight_bytes.at(op.type);
    kernel_ = &choose(embed_kernels(), problem_, choice);
  }
  void run(const StepRun& run) const override {
    EmbedArgs args{run.buffers[op_.ids], token_.data(), position_.data(), run.buffers[op_.out], run.batch};
    if (op_.types != plan::kNoId) args.types = run.buffers[op_.types], args.type = type_.data();
    std::atomic<bool> valid{true};
    run.pool.run([&](int thread) {
      if (!kernel_->run(problem_, args, thread, run.pool.threads())) valid = false;
    });
    if (!valid)
      throw Error(Code::kInvalid,
                  fmt::format("a token id lies outside the vocabulary [0, {}){}", problem_.vocabulary,
                              problem_.types > 0 ? fmt::format(", or its type outside [0, {})", problem_.types) : ""),
                  "tokenize with the processor/ that was exported beside the model");
  }
  size_t weight_bytes() const override { return token_.size() + position_.size() + type_.size(); }

 private:
  plan::Embed op_;
  std::span<const std::byte> token_, position_, type_;  // read in place, kept alive by the plan
  EmbedProblem problem_;
  const EmbedKernel* kernel_;
};

class PatchEmbedStep : public PreparedStep {
 public:
  PatchEmbedStep(const plan::Plan& plan, const plan::PatchEmbed& op) : op_(op) {
    const plan::Buffer& out = plan.buffers.at(op.out);
    const auto cols = static_cast<size_t>(out.dims.back());
    const bool has_class = op.class_token != plan::kNoId;
    problem_ = {plan.buffers.at(op.pixels).dtype,
                plan.weights.at(op.weight).dtype,
                out.dtype,
                op.channels,
                op.height,
                op.width,
                op.patch,
                out.dims.back(),
                has_class};
    if (op.table != plan::kNoId) problem_.table = plan.weights.at(op.table).dtype;
    kernel_ = &choose(patch_embed_kernels(), problem_, choice);
    packed_ = AlignedBytes(kernel_->packed_bytes(problem_));
    kernel_->pack(problem_, plan.weight_bytes.at(op.weight).data(), packed_.data());
    bias_ = weight_f32(plan, op.bias, cols);
    if (has_class) class_token_ = weight_f32(plan, op.class_token, cols);
    position_ = weight_f32(plan, op.position, static_cast<size_t>(out.dims[0]) * cols);
    if (op.table == plan::kNoId) return;
    const std::vector<float> values = weight_f32(plan, op.table, 0);
    table_ = AlignedBytes(values.size() * size_of(patch_operand(problem_)));
    encode_many(patch_operand(problem_), values.data(), static_cast<int64_t>(values.size()), table_.data());
  }
  void run(const StepRun& run) const override {
    const PatchEmbedArgs args{run.buffers[op_.pixels],
                              packed_.data(),
                              bias_.data(),
                              class_token_.empty() ? nullptr : class_token_.data(),
                              position_.data(),
                              table_.data(),
                              op_.scale,
                              run.buffers[op_.out],
                              run.batch,
                              nullptr};
    run.pool.run([&](int thread) {
      PatchEmbedArgs mine = args;
      mine.scratch = run.scratch + run.scratch_stride * static_cast<size_t>(thread);
      kernel_->run(problem_, mine, thread, run.pool.threads());
    });
  }
  size_t scratch_bytes(int64_t, int) const override { return kernel_->scratch_bytes(problem_); }
  size_t weight_bytes() const override {
    return packed_.size() + table_.size() + sizeof(float) * (bias_.size() + class_token_.size() + position_.size());
  }

 private:
  plan::PatchEmbed op_;
  PatchEmbedProblem problem_;
  const PatchEmbedKernel* kernel_;
  AlignedBytes packed_, table_;
  std::vector<float> bias_, class_token_, position_;
};

}  // namespace

std::unique_ptr<PreparedStep> prepare_embed(const plan::Plan& plan, const plan::Embed& op) { return std::make_unique<EmbedStep>(plan, op); }
std::unique_ptr<PreparedStep> prepare_patch_embed(const plan::Plan& plan, const plan::PatchEmbed& op) {
  return std::make_unique<PatchEmbedStep>(plan, op);
}

}  // namespace octet::cpu
