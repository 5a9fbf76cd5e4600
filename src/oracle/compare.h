// Judging what a kernel wrote against the exact output of its step.
#pragma once
#include "oracle/exact.h"
#include "runtime/backend.h"

namespace octet::oracle {

struct StepVerdict {
  int64_t elements = 0;
  int64_t differing = 0;           // stored values other than the exact one rounded once
  int64_t unexplained = 0;         // of those: not the rounding of anything within the bound of the exact value
  int64_t first_unexplained = -1;  // its element index in the output, or -1
  double max_abs = 0;              // largest |actual - exact|, scales applied
  int64_t max_ulp = 0;             // most representable values between a stored one and the exact one rounded; NaNs apart
  double cosine = 1, sqnr_db = 0;  // over all elements; sqnr_db is infinite for equality
};

// `out` is the whole output buffer of the step for the batch that `exact` was made for; only the rows of `exact` are judged.
// Rounding is monotonic: a stored value is explained iff it lies between the roundings of value - bound and value + bound.
StepVerdict judge(const plan::Plan& plan, size_t step, const ExactOutput& exact, std::span<const std::byte> out);

// The dequantization scale of output column `col` of a step: 1 unless its output is e4m3.
double out_scale_of(const plan::Step& step, int64_t col);

// Every step of the plan runs on `target` with the reference's inputs: judged are its kernels, not what errors do on the way.
// inputs: parallel to plan.inputs. rows_per_step: about how many output rows to judge, spread evenly; 0: all.
// `target` must have been reserved for `batch` with whole-batch chunks. visit(step, verdict) is called in order. choices: those of
// the target's executable, for how its kernels accumulate; in f32 if empty.
void teacher_force(const plan::Plan& plan, Context& target, std::span<const void* const> inputs, int64_t batch, int64_t rows_per_step,
                   const std::function<void(size_t step, const StepVerdict& verdict)>& visit, ThreadPool* pool = nullptr,
                   std::span<const StepChoice> choices = {});

}  // namespace octet::oracle
