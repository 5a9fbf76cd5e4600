// One step of a plan, made ready for this CPU: the chosen kernel row, packed weights, f32 vectors. One file per operation.
#pragma once
#include <memory>
#include <span>

#include "base/aligned.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "plan/plan.h"
#include "runtime/backend.h"

namespace octet::cpu {

// What a step works on. buffers[id] is the memory of plan buffer `id` for `batch` items.
struct StepRun {
  std::span<std::byte* const> buffers;
  int64_t batch;
  ThreadPool& pool;
  std::byte* scratch;  // scratch_stride bytes a thread
  size_t scratch_stride;
};

class PreparedStep {
 public:
  virtual ~PreparedStep() = default;
  virtual void run(const StepRun& run) const = 0;
  virtual size_t scratch_bytes([[maybe_unused]] int64_t batch, [[maybe_unused]] int threads) const { return 0; }
  virtual size_t weight_bytes() const { return 0; }
  StepChoice choice;
};

std::unique_ptr<PreparedStep> prepare_embed(const plan::Plan& plan, const plan::Embed& op);
std::unique_ptr<PreparedStep> prepare_patch_embed(const plan::Plan& plan, const plan::PatchEmbed& op);
std::unique_ptr<PreparedStep> prepare_norm(const plan::Plan& plan, const plan::Norm& op);
// Whether a GEMM reads its rows, or writes its output, in the tiled form of gemm.h; and how it keeps FP8 weights: a row that cannot widen
// them once says so in the step's choice.
struct GemmForms {
  bool tiled_a = false, tiled_out = false;
  Prepack prepack = Prepack::kStored;
};
std::unique_ptr<PreparedStep> prepare_gemm(const plan::Plan& plan, const plan::Gemm& op, GemmForms forms);
// This machine's best row for `op` takes it in these forms.
bool accepts_forms(const plan::Plan& plan, const plan::Gemm& op, GemmForms forms);
std::unique_ptr<PreparedStep> prepare_attention(const plan::Plan& plan, const plan::Attention& op);
std::unique_ptr<PreparedStep> prepare_pool(const plan::Plan& plan, const plan::Pool& op);
std::unique_ptr<PreparedStep> prepare_l2normalize(const plan::Plan& plan, const plan::L2Normalize& op);
std::unique_ptr<PreparedStep> prepare_scores(const plan::Plan& plan, const plan::Scores& op);
std::unique_ptr<PreparedStep> prepare_softmax(const plan::Plan& plan, const plan::Softmax& op);
std::unique_ptr<PreparedStep> prepare_values(const plan::Plan& plan, const plan::Values& op);
std::unique_ptr<PreparedStep> prepare_fake_quantize(const plan::Plan& plan, const plan::FakeQuantize& op);
std::unique_ptr<PreparedStep> prepare_pointwise(const plan::Plan& plan, const plan::Pointwise& op);

// A weight as f32, or `count` copies of `fallback` when id is kNoId.
std::vector<float> weight_f32(const plan::Plan& plan, plan::Id id, size_t count, float fallback = 0);

// The first row this machine can run and that accepts the problem; every better row's refusal goes into `choice`.
template <class Row, class Problem>
const Row& choose(std::span<const Row> rows, const Problem& problem, StepChoice& choice) {
  for (const Row& row : rows) {
    const bool runnable = (row.isa & ~usable_isa()) == 0;
    const Refusal no = runnable ? row.accepts(problem) : Refusal{missing_isa(row.isa, usable_isa())};
    if (!no) {
      choice.kernel = row.name;
      return row;
    }
    choice.refused.push_back(std::string(row.name) + ": " + no.reason);
  }
  throw Error(Code::kInternal, "no kernel row accepts the problem, not even the portable one");
}

}  // namespace octet::cpu
