#include "cpu/backend.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>

#include "base/file.h"
#include "cpu/steps/step.h"
#include "cpu/tiled.h"
#include "plan/uses.h"

namespace octet::cpu {
namespace {

// Rows of the widest step worked on at a time: enough to spread the cost of expanding weight panels, few enough that the
// activations of a chunk stay in the outer caches (ViT-L/14: 8 pictures of 257 rows, 27 texts of 77).
constexpr int64_t kRowsPerChunk = 2112;

std::unique_ptr<PreparedStep> prepare_step(const plan::Plan& plan, const plan::Step& step, const TiledBuffers& tiled, Prepack prepack) {
  struct {
    const plan::Plan& p;
    const TiledBuffers& tiled;
    Prepack prepack;
    std::unique_ptr<PreparedStep> operator()(const plan::Embed& op) { return prepare_embed(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::PatchEmbed& op) { return prepare_patch_embed(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Norm& op) { return prepare_norm(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Gemm& op) {
      GemmForms forms = tiled.forms_of(op);
      forms.prepack = prepack;
      return prepare_gemm(p, op, forms);
    }
    std::unique_ptr<PreparedStep> operator()(const plan::Attention& op) { return prepare_attention(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Pool& op) { return prepare_pool(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::L2Normalize& op) { return prepare_l2normalize(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Scores& op) { return prepare_scores(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Softmax& op) { return prepare_softmax(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Values& op) { return prepare_values(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::FakeQuantize& op) { return prepare_fake_quantize(p, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Pointwise& op) { return prepare_pointwise(p, op); }
  } visitor{plan, tiled, prepack};
  return std::visit(visitor, step.op);
}

// The packed weights replace the file's: its pages go as soon as a step has them, unless it reads them in place.
void release_weights(const plan::Plan& plan, const plan::Step& step) {
  if (!plan.file || std::holds_alternative<plan::Embed>(step.op)) return;
  for (const plan::Id id : plan::weights_of(step.op)) plan.file->release(plan.weight_bytes.at(id));
}

// Packing is most of a load: the steps are shared out to the threads. The error of the first step that has one is thrown.
std::vector<std::unique_ptr<PreparedStep>> prepare_steps(const plan::Plan& plan, const TiledBuffers& tiled, Prepack prepack,
                                                         ThreadPool& pool) {
  std::vector<std::unique_ptr<PreparedStep>> steps(plan.steps.size());
  std::vector<std::exception_ptr> errors(steps.size());
  std::atomic<size_t> next{0};
  pool.run([&](int) {
    for (size_t i = next++; i < steps.size(); i = next++) try {
        const plan::Step& step = plan.steps[i];
        steps[i] =
            with_context([&] { return "preparing step `" + step.name + "`"; }, [&] { return prepare_step(plan, step, tiled, prepack); });
        steps[i]->choice.problem = plan::problem_of(plan, step, 1);
        release_weights(plan, step);
      } catch (...) {
        errors[i] = std::current_exception();
      }
  });
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  return steps;
}

int64_t rows_per_item(const plan::Plan& plan) {
  int64_t rows = 1;
  for (const plan::Step& step : plan.steps)
    if (const auto* gemm = std::get_if<plan::Gemm>(&step.op)) rows = std::max<int64_t>(rows, gemm->rows);
  return rows;
}

class CpuExecutable : public Executable, public std::enable_shared_from_this<CpuExecutable> {
 public:
  CpuExecutable(std::shared_ptr<const plan::Plan> plan, const PrepareOptions& options)
      : plan(std::move(plan)), pool(options.threads > 0 ? options.threads : usable_cores()), tiled(*this->plan) {
    chunk = options.chunk > 0 ? options.chunk : std::max<int64_t>(1, kRowsPerChunk / rows_per_item(*this->plan));
    if (options.chunk < 0) chunk = INT64_MAX;
    steps = prepare_steps(*this->plan, tiled, options.prepack, pool);
    for (const auto& step : steps) choices_.push_back(step->choice);
  }
  std::span<const StepChoice> choices() const override { return choices_; }
  uint64_t weight_bytes() const override {
    uint64_t total = 0;
    for (const auto& step : steps) total += step->weight_bytes();
    return total;
  }
  uint64_t arena_bytes(int64_t batch) const override {  // as CpuContext::reserve takes it
    const int64_t items = most_at_once(batch);
    return plan->arena_bytes_per_item * static_cast<uint64_t>(items) + tiled.bytes(items) +
           scratch_stride(items) * static_cast<size_t>(pool.threads());
  }
  std::unique_ptr<Context> new_context() const override;

  // The batch is cut into equal chunks of at most `chunk` items.
  int64_t chunk_of(int64_t batch) const {
    if (batch <= chunk) return batch;
    const int64_t chunks = (batch + chunk - 1) / chunk;
    return (batch + chunks - 1) / chunks;
  }
  // Not chunk_of(batch), which is not monotone: 9 items make two chunks of 5, 8 one of 8. A smaller batch must fit too.
  int64_t most_at_once(int64_t batch) const { return std::min(batch, chunk); }
  size_t scratch_stride(int64_t batch) const {
    size_t bytes = 0;
    for (const auto& step : steps) bytes = std::max(bytes, step->scratch_bytes(chunk_of(batch), pool.threads()));
    return round_up(bytes, 64) + 64;  // the extra line keeps threads' scratch off the same cache sets
  }

  const std::shared_ptr<const plan::Plan> plan;
  mutable ThreadPool pool;
  mutable std::mutex pool_mutex;  // contexts share the cores: one runs at a time
  const TiledBuffers tiled;
  int64_t chunk;
  std::vector<std::unique_ptr<PreparedStep>> steps;

 private:
  std::vector<StepChoice> choices_;
};

class CpuContext : public Context {
 public:
  explicit CpuContext(std::shared_ptr<const CpuExecutable> executable)
      : exe_(std::move(executable)), bound_(exe_->plan->buffers.size()), pointers_(exe_->plan->buffers.size()) {
    for (size_t i = 0; i < bound_.size(); ++i) stride_.push_back(plan::bytes_per_item(exe_->plan->buffers[i]));
  }

  void reserve(int64_t batch) override {
    const int64_t chunk = exe_->most_at_once(batch);
    if (chunk <= reserved_) return;
    arena_ = AlignedBytes(exe_->plan->arena_bytes_per_item * static_cast<uint64_t>(chunk));
    tiles_ = AlignedBytes(exe_->tiled.bytes(chunk));
    scratch_stride_ = exe_->scratch_stride(chunk);
    scratch_ = AlignedBytes(scratch_stride_ * static_cast<size_t>(exe_->pool.threads()));
    reserved_ = chunk;
  }

  void run(int64_t batch, std::span<const void* const> inputs, std::span<void* const> outputs, const StepHook* hook) override {
    const auto called = std::chrono::steady_clock::now();
    const auto since = [&] { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - called).count(); };
    reserve(batch);
    owned_batch_ = 0;  // the bound buffers are the caller's from here on
    const std::lock_guard lock(exe_->pool_mutex);
    const plan::Plan& plan = *exe_->plan;
    for (size_t i = 0; i < inputs.size(); ++i) bound_[plan.inputs[i].buffer] = static_cast<std::byte*>(const_cast<void*>(inputs[i]));
    for (size_t i = 0; i < outputs.size(); ++i) bound_[plan.outputs[i].buffer] = static_cast<std::byte*>(outputs[i]);
    const int64_t chunk = exe_->chunk_of(batch);
    times_.enqueue_ms = since();
    for (int64_t first = 0; first < batch; first += chunk) {
      const int64_t items = std::min(chunk, batch - first);
      locate(first, items);
      use_tiles();
      for (size_t i = 0; i < exe_->steps.size(); ++i) timed_step(i, first, items, hook);
    }
    times_.compute_ms = since();
  }

  std::optional<DeviceTimes> last_times() const override { return times_; }

  std::span<std::byte> buffer(plan::Id id, int64_t batch) override {
    OCTET_CHECK(batch <= reserved_, batch, reserved_);
    own_bound_buffers(batch);
    locate(0, batch);
    return {pointers_.at(id), stride_[id] * static_cast<size_t>(batch)};
  }
  void run_step(size_t step, int64_t batch) override {
    OCTET_CHECK(batch <= reserved_, batch, reserved_);
    own_bound_buffers(batch);
    const std::lock_guard lock(exe_->pool_mutex);
    locate(0, batch);
    const std::vector<std::byte*> plain = pointers_;
    use_tiles();
    exe_->tiled.fill(exe_->plan->steps[step], batch, plain, tiles_.data());
    timed_step(step, 0, batch, nullptr);
    exe_->tiled.empty(exe_->plan->steps[step], batch, tiles_.data(), plain);
  }

 private:
  void locate(int64_t first, int64_t items) {
    const auto& buffers = exe_->plan->buffers;
    for (size_t i = 0; i < buffers.size(); ++i)
      pointers_[i] = buffers[i].bound ? bound_[i] + stride_[i] * static_cast<size_t>(first)
                                      : arena_.data() + buffers[i].offset * static_cast<size_t>(items);
  }
  void use_tiles() {
    for (size_t i = 0; i < pointers_.size(); ++i)
      if (exe_->tiled.holds(static_cast<plan::Id>(i))) pointers_[i] = tiles_.data();
  }
  void timed_step(size_t i, int64_t first, int64_t items, const StepHook* hook) {
    const StepRun state{pointers_, items, exe_->pool, scratch_.data(), scratch_stride_};
    if (!hook) return exe_->steps[i]->run(state);
    const auto begin = std::chrono::steady_clock::now();
    exe_->steps[i]->run(state);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    (*hook)({i, first, items, took.count()});
  }
  // For step-by-step use there is no caller to bind inputs and outputs: the context owns memory for them.
  void own_bound_buffers(int64_t batch) {
    if (batch <= owned_batch_) return;
    owned_.resize(bound_.size());
    for (size_t i = 0; i < bound_.size(); ++i)
      if (exe_->plan->buffers[i].bound) owned_[i] = AlignedBytes(stride_[i] * static_cast<size_t>(batch)), bound_[i] = owned_[i].data();
    owned_batch_ = batch;
  }

  std::shared_ptr<const CpuExecutable> exe_;
  std::vector<std::byte*> bound_;     // by buffer id: memory of graph inputs and outputs
  std::vector<std::byte*> pointers_;  // by buffer id: where the current chunk's data lies
  std::vector<uint64_t> stride_;      // by buffer id: bytes per item
  DeviceTimes times_{0, 0, 0, 0, true};
  AlignedBytes arena_, tiles_, scratch_;
  size_t scratch_stride_ = 0;
  int64_t reserved_ = 0, owned_batch_ = 0;
  std::vector<AlignedBytes> owned_;
};

std::unique_ptr<Context> CpuExecutable::new_context() const { return std::make_unique<CpuContext>(shared_from_this()); }

class CpuBackend : public Backend {
 public:
  std::string name() const override { return "cpu (" + isa_names(usable_isa()) + ")"; }
  std::shared_ptr<const Executable> prepare(std::shared_ptr<const plan::Plan> plan, const PrepareOptions& options) const override {
    return std::make_shared<CpuExecutable>(std::move(plan), options);
  }
};

}  // namespace

std::unique_ptr<Backend> make_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace octet::cpu
