// A plan prepared for a GPU, shared by contexts (cuda/context.h).
#pragma once
#include "cuda/steps/step.h"

namespace octet::cuda {

class CudaExecutable : public Executable, public std::enable_shared_from_this<CudaExecutable> {
 public:
  CudaExecutable(std::shared_ptr<const plan::Plan> plan, std::shared_ptr<Device> device, const CudaOptions& options);
  std::span<const StepChoice> choices() const override { return choices_; }
  uint64_t weight_bytes() const override { return resident.weights.size(); }
  uint64_t arena_bytes(int64_t batch) const override;  // with inputs, outputs and scratch
  std::unique_ptr<Context> new_context() const override;
  std::string kernel(size_t step, int64_t batch) const override { return steps[step]->kernel(resident, batch); }
  std::shared_ptr<std::byte> host_memory(size_t bytes) const override;
  std::vector<std::string> memory_report(int64_t batch) const override;

  // Where buffers of a batch lie in a context's memory: the arena, then inputs and outputs, then scratch; 256-byte aligned.
  struct Layout {
    std::vector<uint64_t> offsets;  // by buffer id
    uint64_t scratch = 0, total = 0;
  };
  Layout layout(int64_t batch) const;

  const std::shared_ptr<const plan::Plan> plan;
  std::vector<std::unique_ptr<PreparedStep>> steps;
  Resident resident;

 private:
  std::vector<StepChoice> choices_;
};

}  // namespace octet::cuda
