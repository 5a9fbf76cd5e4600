#include "cuda/context.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/text.h"
#include "plan/uses.h"

namespace octet::cuda {
namespace {

constexpr size_t kGraphs = 8;  // batch sizes whose graphs are kept

double milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

CudaContext::CudaContext(std::shared_ptr<const CudaExecutable> executable)
    : exe_(std::move(executable)),
      device_(exe_->resident.device),
      stream_(device_),
      begin_(device_),
      arrived_(device_),
      computed_(device_),
      end_(device_) {
  for (const plan::Buffer& buffer : exe_->plan->buffers) stride_.push_back(plan::bytes_per_item(buffer));
  addresses_.resize(stride_.size());
}

CudaContext::~CudaContext() {
  const Device::Current current(*device_, Device::Current::Unchecked{});
  driver::api().stream_synchronize.attempt(stream_.handle());
  for (const Graph& graph : graphs_) driver::api().graph_exec_destroy.attempt(graph.handle);
}

template <class Body>
void CudaContext::use(const char* doing, int64_t batch, Body&& body) {
  device_->use([&] { return fmt::format("{} `{}` at batch {}", doing, exe_->plan->name, batch); }, std::forward<Body>(body));
}

void CudaContext::reserve(int64_t batch) {
  if (batch <= 0 || (batch <= reserved_ && tuned_.contains(batch))) return;
  use("preparing to run", batch, [&] {
    if (batch > reserved_) {
      drop_graphs();
      memory_ = {};
      reserved_ = located_ = 0;
      memory_ = DeviceBytes(device_, exe_->layout(batch).total, fmt::format("the activations of a batch of {}", batch));
      reserved_ = batch;
      mirror_ = {};
      mirrored_ = false;
    }
    tune(batch);
  });
}

void CudaContext::tune(int64_t batch) {
  if (!tuned_.insert(batch).second) return;
  for (size_t i = 0; i < exe_->steps.size(); ++i)
    with_context([&] { return "timing kernels of step `" + exe_->plan->steps[i].name + "`"; },
                 [&] { exe_->steps[i]->tune(exe_->resident, stream_, batch); });
}

void CudaContext::locate(int64_t batch) {
  if (batch == located_) return;
  layout_ = exe_->layout(batch);
  OCTET_CHECK(layout_.total <= memory_.size(), batch, reserved_);
  for (size_t i = 0; i < addresses_.size(); ++i) addresses_[i] = memory_.address() + layout_.offsets[i];
  located_ = batch;
  mirrored_ = false;
}

void CudaContext::run(int64_t batch, std::span<const void* const> inputs, std::span<void* const> outputs, const StepHook* hook) {
  if (batch <= 0) return;
  reserve(batch);
  use("running", batch, [&] {
    locate(batch);
    mirrored_ = false;
    begin_.record(stream_);
    if (transfers_) upload_inputs(batch, inputs);
    arrived_.record(stream_);
    const auto enqueue = std::chrono::steady_clock::now();
    hook != nullptr ? enqueue_timed(*hook) : compute(batch);
    const double enqueue_ms = milliseconds_since(enqueue);
    computed_.record(stream_);
    if (transfers_) download_outputs(batch, outputs);
    end_.record(stream_);
    stream_.synchronize();
    times_ = DeviceTimes{arrived_.milliseconds_since(begin_), computed_.milliseconds_since(arrived_), end_.milliseconds_since(computed_),
                         enqueue_ms};
  });
}

// Page-locked memory is read and written by the GPU itself; any other goes through buffers of the driver's.
void CudaContext::upload_inputs(int64_t batch, std::span<const void* const> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const plan::Id id = exe_->plan->inputs[i].buffer;
    stream_.upload(addresses_[id], {static_cast<const std::byte*>(inputs[i]), stride_[id] * static_cast<size_t>(batch)});
  }
}
void CudaContext::download_outputs(int64_t batch, std::span<void* const> outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const plan::Id id = exe_->plan->outputs[i].buffer;
    stream_.download({static_cast<std::byte*>(outputs[i]), stride_[id] * static_cast<size_t>(batch)}, addresses_[id]);
  }
}

void CudaContext::enqueue_step(size_t step) {
  with_context(
      [&] { return fmt::format("running step `{}` ({})", exe_->plan->steps[step].name, exe_->kernel(step, located_)); },
      [&] {
        exe_->steps[step]->enqueue({exe_->resident, stream_, addresses_, located_, memory_.address() + layout_.scratch, step % 2 == 1});
      });
}

// A first run goes step by step, so that code is loaded and an error names its step; a batch that returns is worth a graph.
void CudaContext::compute(int64_t batch) {
  const auto known = std::ranges::find(graphs_, batch, &Graph::batch);
  if (known != graphs_.end()) {
    graphs_.splice(graphs_.begin(), graphs_, known);
    return driver::api().graph_launch(graphs_.front().handle, stream_.handle());
  }
  if (seen_.insert(batch).second || !can_capture_) {
    for (size_t i = 0; i < exe_->steps.size(); ++i) enqueue_step(i);
    return;
  }
  const driver::GraphExecHandle handle = capture(batch);
  if (handle == nullptr) return compute(batch);
  graphs_.push_front({batch, handle});
  if (graphs_.size() > kGraphs) {
    driver::api().graph_exec_destroy.attempt(graphs_.back().handle);
    graphs_.pop_back();
  }
  driver::api().graph_launch(handle, stream_.handle());
}

// nullptr if the driver cannot: runs go on step by step.
driver::GraphExecHandle CudaContext::capture(int64_t batch) {
  const driver::Api& api = driver::api();
  driver::GraphHandle graph = nullptr;
  driver::GraphExecHandle handle = nullptr;
  try {
    api.begin_capture(stream_.handle(), driver::kCaptureModeThreadLocal);
    for (size_t i = 0; i < exe_->steps.size(); ++i) enqueue_step(i);
    api.end_capture(stream_.handle(), &graph);
    api.graph_instantiate(&handle, graph, 0);
  } catch (const driver::CallError& error) {
    if (graph == nullptr) api.end_capture.attempt(stream_.handle(), &graph);
    if (driver::is_sticky(error.result)) throw;
    can_capture_ = false;
    handle = nullptr;
    log(Level::kWarning, "no CUDA graph of batch {}, steps are launched one by one: {}", batch, error.render());
  }
  if (graph != nullptr) api.graph_destroy.attempt(graph);
  return handle;
}

void CudaContext::drop_graphs() {
  stream_.synchronize();
  for (const Graph& graph : graphs_) driver::api().graph_exec_destroy(graph.handle);
  graphs_.clear();
}

void CudaContext::enqueue_timed(const StepHook& hook) {
  const size_t count = exe_->steps.size();
  while (step_events_.size() <= count) step_events_.push_back(std::make_unique<Event>(device_));
  step_events_[0]->record(stream_);
  for (size_t i = 0; i < count; ++i) {
    enqueue_step(i);
    step_events_[i + 1]->record(stream_);
  }
  stream_.synchronize();
  for (size_t i = 0; i < count; ++i) hook({i, 0, located_, 1e6 * step_events_[i + 1]->milliseconds_since(*step_events_[i])});
}

// Step-by-step use works on a copy in host memory with the same layout: callers write through its spans as they like, and each step
// takes its buffers to the device and its result back.
void CudaContext::make_mirror(int64_t batch) {
  OCTET_CHECK(batch <= reserved_, batch, reserved_);
  locate(batch);
  if (mirrored_) return;
  if (mirror_.size() < memory_.size()) mirror_ = AlignedBytes(memory_.size());
  stream_.download({mirror_.data(), layout_.scratch}, memory_.address());
  stream_.synchronize();
  mirrored_ = true;
}

std::span<std::byte> CudaContext::mirror(plan::Id id) {
  return {mirror_.data() + layout_.offsets.at(id), stride_[id] * static_cast<size_t>(located_)};
}

std::span<std::byte> CudaContext::buffer(plan::Id id, int64_t batch) {
  use("reading a buffer of", batch, [&] { make_mirror(batch); });
  return mirror(id);
}

void CudaContext::run_step(size_t step, int64_t batch) {
  reserve(batch);
  use("running a step of", batch, [&] {
    make_mirror(batch);
    const plan::Operation& op = exe_->plan->steps[step].op;
    const plan::Id out = plan::out_of(op);
    for (const plan::Id id : plan::reads_of(op)) stream_.upload(addresses_[id], mirror(id));
    stream_.upload(addresses_[out], mirror(out));  // what a kernel leaves out stays as it was
    enqueue_step(step);
    stream_.download(mirror(out), addresses_[out]);
    stream_.synchronize();
  });
}

}  // namespace octet::cuda
