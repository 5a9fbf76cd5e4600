// Engines as the CLI uses them: built from ONNX or loaded from a .plan, prepared for this machine, with tensors to bind.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "compile.h"
#include "numeric/host_tensor.h"
#include "plan/plan.h"
#include "runtime/backend.h"

namespace octet::cli {

// --device, --cpu-threads and --prepack, the same everywhere.
struct DeviceOptions {
  std::string device = "auto";  // cpu, cuda, cuda:N; auto: cuda if there is a usable GPU, else cpu
  int threads = 0;
  int64_t chunk = 0;  // PrepareOptions::chunk; no flag: set by subcommands that look into buffers
  bool tune = true;   // false: on a GPU the first kernel that fits, untimed
  Prepack prepack = Prepack::kStored;
  void add_to(CLI::App& app);
};

// Throws Error{kUsage} for a name that is none, Error{kUnsupported} with the reason for a device that cannot be had.
std::shared_ptr<const Backend> make_backend(const DeviceOptions& options);

struct Engine {
  std::shared_ptr<const plan::Plan> plan;
  std::shared_ptr<const Executable> executable;
  std::string device;  // "cpu (avx2+avx512+amx)"
  double seconds = 0;  // to load (or build) and prepare
};

Engine prepare_engine(std::shared_ptr<const plan::Plan> plan, const Backend& backend, const DeviceOptions& options);
Engine load_engine(const std::filesystem::path& path, const DeviceOptions& options);
// A .plan is loaded, an .onnx compiled.
Engine open_engine(const std::filesystem::path& path, const DeviceOptions& options, const CompileOptions& compile_options = {});
bool is_plan(const std::filesystem::path& path);

// Inputs and outputs of one run, in the plan's order.
struct Tensors {
  std::vector<HostTensor> inputs, outputs;
  std::vector<const void*> input_pointers() const;
  std::vector<void*> output_pointers();
};
// Dims of a binding at a batch: [batch, ...].
std::vector<int64_t> dims_at(const plan::Plan& plan, const plan::Binding& binding, int64_t batch);
// The values that ids or a mask can hold, counted from 0; 0 if no embedding and no attention reads the buffer.
int64_t vocabulary_of(const plan::Plan& plan, plan::Id buffer);
// Inputs filled as trtexec fills them (floats U[-1, 1]; deterministic), but token ids are valid: uniform in the vocabulary.
Tensors random_tensors(const plan::Plan& plan, int64_t batch);
// Where a timed run's tensors lie: memory that transfers fastest to the engine's device, with the inputs copied there; the tensors'
// own where the device reads host memory. Outputs are then not in `tensors`.
struct Bound {
  std::vector<const void*> in;
  std::vector<void*> out;
  std::vector<std::shared_ptr<std::byte>> memory;
};
Bound bind(const Engine& engine, Tensors& tensors);
void run_engine(const Engine& engine, Context& context, int64_t batch, Tensors& tensors, const StepHook* hook = nullptr);

}  // namespace octet::cli
