#include "oracle/backend.h"

#include <chrono>
#include <mutex>

#include "base/aligned.h"
#include "base/error.h"
#include "oracle/exact.h"
#include "plan/uses.h"

namespace octet::oracle {
namespace {

class OracleExecutable : public Executable, public std::enable_shared_from_this<OracleExecutable> {
 public:
  OracleExecutable(std::shared_ptr<const plan::Plan> plan, int threads)
      : plan(std::move(plan)), pool(threads > 0 ? threads : usable_cores()) {
    for (const plan::Step& step : this->plan->steps) choices_.push_back({"exact_f64", plan::problem_of(*this->plan, step, 1), {}});
  }
  std::span<const StepChoice> choices() const override { return choices_; }
  uint64_t weight_bytes() const override { return 0; }  // decoded anew for each step
  uint64_t arena_bytes(int64_t batch) const override { return plan->arena_bytes_per_item * static_cast<uint64_t>(batch); }
  std::unique_ptr<Context> new_context() const override;

  const std::shared_ptr<const plan::Plan> plan;
  mutable ThreadPool pool;
  mutable std::mutex pool_mutex;  // the pool has one caller at a time

 private:
  std::vector<StepChoice> choices_;
};

class OracleContext : public Context {
 public:
  explicit OracleContext(std::shared_ptr<const OracleExecutable> executable)
      : exe_(std::move(executable)), bound_(exe_->plan->buffers.size()), owned_(bound_.size()), pointers_(bound_.size()) {}

  void reserve(int64_t batch) override {
    if (batch <= reserved_) return;
    arena_ = AlignedBytes(exe_->arena_bytes(batch));
    reserved_ = batch;
  }
  void run(int64_t batch, std::span<const void* const> inputs, std::span<void* const> outputs, const StepHook* hook) override {
    reserve(batch);
    const plan::Plan& plan = *exe_->plan;
    for (size_t i = 0; i < inputs.size(); ++i)
      bound_[plan.inputs[i].buffer] = static_cast<std::byte*>(const_cast<void*>(inputs[i]));  // validated: no step writes to it
    for (size_t i = 0; i < outputs.size(); ++i) bound_[plan.outputs[i].buffer] = static_cast<std::byte*>(outputs[i]);
    owned_batch_ = 0;  // bound memory is the caller's now
    locate(batch);
    for (size_t step = 0; step < plan.steps.size(); ++step) {
      const auto begin = std::chrono::steady_clock::now();
      execute(step, batch);
      const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
      if (hook) (*hook)({step, 0, batch, took.count()});
    }
  }
  std::span<std::byte> buffer(plan::Id id, int64_t batch) override {
    own_bound_buffers(batch);
    locate(batch);
    return {pointers_.at(id), plan::bytes_per_item(exe_->plan->buffers[id]) * static_cast<uint64_t>(batch)};
  }
  void run_step(size_t step, int64_t batch) override {
    own_bound_buffers(batch);
    locate(batch);
    execute(step, batch);
  }

 private:
  void execute(size_t step, int64_t batch) {
    const std::lock_guard lock(exe_->pool_mutex);
    const std::vector<const std::byte*> buffers(pointers_.begin(), pointers_.end());
    run_exact(*exe_->plan, step, buffers, batch, pointers_[plan::out_of(exe_->plan->steps.at(step).op)], &exe_->pool);
  }
  void locate(int64_t batch) {
    const auto& buffers = exe_->plan->buffers;
    for (size_t i = 0; i < buffers.size(); ++i)
      pointers_[i] = buffers[i].bound ? bound_[i] : arena_.data() + buffers[i].offset * static_cast<uint64_t>(batch);
  }
  // Step by step there is no caller to bind inputs and outputs: the context owns memory for them.
  void own_bound_buffers(int64_t batch) {
    OCTET_CHECK(batch <= reserved_, batch, reserved_);
    if (batch <= owned_batch_) return;
    const auto& buffers = exe_->plan->buffers;
    for (size_t i = 0; i < buffers.size(); ++i) {
      if (!buffers[i].bound) continue;
      owned_[i] = AlignedBytes(plan::bytes_per_item(buffers[i]) * static_cast<uint64_t>(batch));
      bound_[i] = owned_[i].data();
    }
    owned_batch_ = batch;
  }

  std::shared_ptr<const OracleExecutable> exe_;
  std::vector<std::byte*> bound_;     // by buffer id: memory of graph inputs and outputs
  std::vector<AlignedBytes> owned_;   // likewise, when nobody gave any
  std::vector<std::byte*> pointers_;  // by buffer id: all memory at the current batch
  AlignedBytes arena_;
  int64_t reserved_ = 0, owned_batch_ = 0;
};

std::unique_ptr<Context> OracleExecutable::new_context() const { return std::make_unique<OracleContext>(shared_from_this()); }

class OracleBackend : public Backend {
 public:
  std::string name() const override { return "oracle (f64)"; }
  std::shared_ptr<const Executable> prepare(std::shared_ptr<const plan::Plan> plan, const PrepareOptions& options) const override {
    return std::make_shared<OracleExecutable>(std::move(plan), options.threads);
  }
};

}  // namespace

std::unique_ptr<Backend> make_backend() { return std::make_unique<OracleBackend>(); }

}  // namespace octet::oracle
