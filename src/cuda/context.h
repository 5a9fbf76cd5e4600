// One session's stream and memory on a GPU. A batch size's second run is captured as a CUDA graph, and later ones replay it.
#pragma once
#include <list>
#include <set>

#include "base/aligned.h"
#include "cuda/executable.h"

namespace octet::cuda {

class CudaContext : public Context {
 public:
  explicit CudaContext(std::shared_ptr<const CudaExecutable> executable);
  ~CudaContext() override;
  void run(int64_t batch, std::span<const void* const> inputs, std::span<void* const> outputs, const StepHook* hook) override;
  void reserve(int64_t batch) override;
  std::span<std::byte> buffer(plan::Id id, int64_t batch) override;
  void run_step(size_t step, int64_t batch) override;
  std::optional<DeviceTimes> last_times() const override { return times_; }
  void set_transfers(bool on) override { transfers_ = on; }

 private:
  struct Graph {
    int64_t batch;
    driver::GraphExecHandle handle;
  };
  template <class Body>
  void use(const char* doing, int64_t batch, Body&& body);
  void locate(int64_t batch);
  void tune(int64_t batch);
  void upload_inputs(int64_t batch, std::span<const void* const> inputs);
  void download_outputs(int64_t batch, std::span<void* const> outputs);
  void compute(int64_t batch);
  void enqueue_step(size_t step);
  void enqueue_timed(const StepHook& hook);
  driver::GraphExecHandle capture(int64_t batch);
  void drop_graphs();
  std::span<std::byte> mirror(plan::Id id);
  void make_mirror(int64_t batch);

  std::shared_ptr<const CudaExecutable> exe_;
  std::shared_ptr<Device> device_;
  Stream stream_;
  Event begin_, arrived_, computed_, end_;  // of a run
  std::vector<uint64_t> stride_;            // by buffer id: bytes per item
  DeviceBytes memory_;
  int64_t reserved_ = 0;
  CudaExecutable::Layout layout_;  // of `located_` items
  int64_t located_ = 0;
  std::vector<Address> addresses_;  // by buffer id
  std::set<int64_t> tuned_, seen_;  // batch sizes with kernels chosen; that have run
  std::list<Graph> graphs_;         // the most recently used first
  bool can_capture_ = true, transfers_ = true;
  std::optional<DeviceTimes> times_;
  std::vector<std::unique_ptr<Event>> step_events_;  // for hooks
  AlignedBytes mirror_;                              // the host's copy of memory_ for step-by-step use; see buffer()
  bool mirrored_ = false;                            // mirror_ is what the device has
};

}  // namespace octet::cuda
