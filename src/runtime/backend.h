// What a target is to the runtime: prepare a plan once, run it many times. cpu/backend.h and oracle/backend.h implement it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "numeric/accumulation.h"
#include "plan/plan.h"

namespace octet {

// What one step runs as on this target, and why not better: data users see (--explain, inspect, profile).
struct StepChoice {
  std::string kernel;                // "gemm_e4m3_e4m3_bf16_amx"
  std::string problem;               // plan::problem_of at the prepared batch
  std::vector<std::string> refused;  // "gemm_..._avx512bf16: this CPU has no avx512_bf16", best row first
  Accumulation accumulation = {};    // what its sums lose, for judging it
};

// Called around each step of a run, for profiles and comparisons. `nanoseconds` is the step's own time.
struct StepEvent {
  size_t step;
  int64_t first_item, items;  // the chunk of the batch it worked on
  double nanoseconds;
};
using StepHook = std::function<void(const StepEvent&)>;

// What a run took: inputs to the device, all steps, outputs back, by the device's own clock; and the time for which the host was busy
// handing over the steps. Where the host itself computes nothing is transferred, compute is the whole run, and handing over is what
// passes until the first step can begin: waiting for the cores and binding the tensors.
struct DeviceTimes {
  double h2d_ms = 0, compute_ms = 0, d2h_ms = 0, enqueue_ms = 0;
  bool on_host = false;
};

// A prepared plan's scratch: arena and per-thread memory. One at a time per caller; not thread-safe.
class Context {
 public:
  virtual ~Context() = default;
  // Runs all steps for `batch` items. inputs / outputs are parallel to plan.inputs / outputs, dense, batch-major.
  // Allocates nothing unless batch exceeds what reserve() saw.
  virtual void run(int64_t batch, std::span<const void* const> inputs, std::span<void* const> outputs, const StepHook* hook) = 0;
  virtual void reserve(int64_t batch) = 0;
  // For comparisons (teacher forcing): the bytes of a buffer of the current arena for `batch` items, writable; and one step.
  // Only valid after reserve(batch) with whole-batch chunks (see PrepareOptions::chunk).
  virtual std::span<std::byte> buffer(plan::Id id, int64_t batch) = 0;
  virtual void run_step(size_t step, int64_t batch) = 0;
  virtual std::optional<DeviceTimes> last_times() const { return std::nullopt; }  // of the last run(); none where nobody measures
  // Off: runs compute on the inputs of the last run before, and leave their outputs on the device.
  virtual void set_transfers([[maybe_unused]] bool on) {}
};

// A plan made ready for one target: packed weights and chosen kernels. Immutable and shared by contexts.
class Executable {
 public:
  virtual ~Executable() = default;
  virtual std::span<const StepChoice> choices() const = 0;  // parallel to plan.steps
  virtual uint64_t weight_bytes() const = 0;                // resident after packing
  virtual uint64_t arena_bytes(int64_t batch) const = 0;
  virtual std::unique_ptr<Context> new_context() const = 0;
  // What a step runs as at a batch that a context has reserved: choices() name the first of kernels that compete by time.
  virtual std::string kernel(size_t step, [[maybe_unused]] int64_t batch) const { return choices()[step].kernel; }
  // Host memory that transfers to the device and back at the full rate; nullptr where any memory does.
  virtual std::shared_ptr<std::byte> host_memory([[maybe_unused]] size_t bytes) const { return nullptr; }
  // Memory of the device, a line a part; empty where it is the host's.
  virtual std::vector<std::string> memory_report([[maybe_unused]] int64_t batch) const { return {}; }
};

// How FP8 weights of GEMMs lie in memory: a byte each, widened by every run; or widened once, twice the memory. Same results. CPU only.
enum class Prepack : uint8_t { kStored, kBf16 };

struct PrepareOptions {
  int threads = 0;    // 0: usable_cores()
  int64_t chunk = 0;  // items worked on at a time; 0: the backend chooses; -1: the whole batch
  Prepack prepack = Prepack::kStored;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;  // "cpu (amx)"
  virtual std::shared_ptr<const Executable> prepare(std::shared_ptr<const plan::Plan> plan, const PrepareOptions& options) const = 0;
};

}  // namespace octet
