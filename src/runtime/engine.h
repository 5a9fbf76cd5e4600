// A plan prepared for one target, and the sessions that run it. The public octet.h wraps these two; tools use them directly
// for step choices, hooks and teacher forcing. Everything of a target is behind runtime/backend.h.
#pragma once
#include <filesystem>

#include "runtime/backend.h"

namespace octet::runtime {

// Immutable and shared: sessions of one engine share its weights and run concurrently.
class Engine {
 public:
  // Reads and validates the file, then as make(). Throws Error{kIo, kInvalid, kUnsupported}.
  static std::shared_ptr<const Engine> load(const std::filesystem::path& path, const Backend& backend, const PrepareOptions& options = {});
  // For a plan just built. The plan must be valid (plan/validate.h).
  static std::shared_ptr<const Engine> make(std::shared_ptr<const plan::Plan> plan, const Backend& backend,
                                            const PrepareOptions& options = {});

  const plan::Plan& plan() const { return *plan_; }
  const Executable& executable() const { return *executable_; }
  const std::string& device() const { return device_; }              // Backend::name()
  const std::vector<TensorInfo>& inputs() const { return inputs_; }  // parallel to plan().inputs
  const std::vector<TensorInfo>& outputs() const { return outputs_; }

 private:
  Engine() = default;
  std::shared_ptr<const plan::Plan> plan_;
  std::shared_ptr<const Executable> executable_;
  std::string device_;
  std::vector<TensorInfo> inputs_, outputs_;
};

// One stream of work; see octet::Session in octet.h for the contract of run and reserve.
class Session {
 public:
  explicit Session(std::shared_ptr<const Engine> engine);
  void reserve(int64_t batch);
  void run(int64_t batch, std::span<const TensorView> inputs, std::span<const TensorView> outputs, const StepHook* hook = nullptr);
  const Engine& engine() const { return *engine_; }
  Context& context() { return *context_; }  // for teacher forcing

 private:
  // An input whose values index a vocabulary.
  struct Tokens {
    size_t input;
    int64_t vocabulary;
  };
  void check_tokens(int64_t batch) const;

  std::shared_ptr<const Engine> engine_;
  std::unique_ptr<Context> context_;
  std::vector<Tokens> tokens_;
  std::vector<const TensorView*> bound_;  // by input, then by output: the caller's views during a run
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
};

}  // namespace octet::runtime
