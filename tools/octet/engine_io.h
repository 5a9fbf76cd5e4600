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

// --device and --cpu-threads, the same everywhere.
struct DeviceOptions {
  std::string device = "cpu";
  int threads = 0;
  int64_t chunk = 0;                         // PrepareOptions::chunk; no flag: set by subcommands that look into buffers
  void add_to(CLI::App& app);
  void require_cpu() const;                  // Error{kUnsupported} for any other device
};

struct Engine {
  std::shared_ptr<const plan::Plan> plan;
  std::shared_ptr<const Executable> executable;
  std::string device;                        // "cpu (avx2+avx512+amx)"
  double seconds = 0;                        // to load (or build) and prepare
};

Engine prepare_engine(std::shared_ptr<const plan::Plan> plan, const DeviceOptions& options);
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
// Inputs filled as trtexec fills them (floats U[-1, 1]; deterministic), but token ids are valid: uniform in the vocabulary.
Tensors random_tensors(const plan::Plan& plan, int64_t batch);
void run_engine(const Engine& engine, Context& context, int64_t batch, Tensors& tensors, const StepHook* hook = nullptr);

}  // namespace octet::cli
