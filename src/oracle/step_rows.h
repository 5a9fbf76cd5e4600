// Internal to oracle/: an operation with its inputs at hand, computed any rows at a time. One file per kind of operation.
#pragma once
#include <memory>

#include "oracle/exact.h"

namespace octet::oracle {

struct StepInput {
  const plan::Plan& plan;
  std::span<const std::byte* const> buffers;
  int64_t batch;
  Accumulation accumulation;  // of the kernel that is judged

  DType type(plan::Id buffer) const { return plan.buffers.at(buffer).dtype; }
};

class StepRows {
 public:
  virtual ~StepRows() = default;
  // values[i * cols + c], and bounds unless null, of output row rows[i]. Thread-safe.
  virtual void compute(std::span<const int64_t> rows, double* values, double* bounds) const = 0;
};

std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Embed& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::PatchEmbed& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Norm& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Gemm& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Attention& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Pool& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::L2Normalize& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Scores& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Softmax& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Values& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::FakeQuantize& op);
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Pointwise& op);

std::vector<double> weight_values(const plan::Plan& plan, plan::Id id, size_t count, double fallback);  // fallback if id is kNoId
int64_t id_at(DType dtype, const std::byte* ids, int64_t i);                                            // i32 or i64

}  // namespace octet::oracle
