#include "cuda/executable.h"

#include <algorithm>

#include "base/aligned.h"
#include "base/text.h"
#include "cuda/context.h"

namespace octet::cuda {
namespace {

std::unique_ptr<PreparedStep> prepare_step(Preparation& with, const plan::Step& step) {
  struct {
    Preparation& w;
    std::unique_ptr<PreparedStep> operator()(const plan::Embed& op) { return prepare_embed(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::PatchEmbed& op) { return prepare_patch_embed(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Norm& op) { return prepare_norm(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Gemm& op) { return prepare_gemm(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Attention& op) { return prepare_attention(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Pool& op) { return prepare_pool(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::L2Normalize& op) { return prepare_l2normalize(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Scores& op) { return prepare_scores(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Softmax& op) { return prepare_softmax(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Values& op) { return prepare_values(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::FakeQuantize& op) { return prepare_fake_quantize(w, op); }
    std::unique_ptr<PreparedStep> operator()(const plan::Pointwise& op) { return prepare_pointwise(w, op); }
  } visitor{with};
  return std::visit(visitor, step.op);
}

}  // namespace

CudaExecutable::CudaExecutable(std::shared_ptr<const plan::Plan> plan_, std::shared_ptr<Device> device, const CudaOptions& options)
    : plan(std::move(plan_)) {
  Gpu gpu = device->gpu();
  gpu.portable_code = options.portable_code;
  Preparation with(*plan, gpu, options);
  for (const plan::Step& step : plan->steps) {
    steps.push_back(with_context([&] { return "preparing step `" + step.name + "`"; }, [&] { return prepare_step(with, step); }));
    steps.back()->choice.problem = plan::problem_of(*plan, step, 1);
    choices_.push_back(steps.back()->choice);
  }
  resident = device->use([&] { return "preparing " + plan->name; }, [&] { return with.finish(device); });
}

CudaExecutable::Layout CudaExecutable::layout(int64_t batch) const {
  constexpr size_t kAlignment = 256;
  const auto items = static_cast<uint64_t>(batch);
  Layout layout;
  layout.total = round_up(plan->arena_bytes_per_item * items, kAlignment);
  for (const plan::Buffer& buffer : plan->buffers) {
    layout.offsets.push_back(buffer.bound ? layout.total : buffer.offset * items);
    if (buffer.bound) layout.total += round_up(plan::bytes_per_item(buffer) * items, kAlignment);
  }
  layout.scratch = layout.total;
  size_t scratch = 0;
  for (const auto& step : steps) scratch = std::max(scratch, step->scratch_bytes(batch));
  layout.total += round_up(scratch, kAlignment);
  return layout;
}

uint64_t CudaExecutable::arena_bytes(int64_t batch) const { return layout(batch).total; }

std::unique_ptr<Context> CudaExecutable::new_context() const {
  return resident.device->use([&] { return "making a session"; }, [&] { return std::make_unique<CudaContext>(shared_from_this()); });
}

std::shared_ptr<std::byte> CudaExecutable::host_memory(size_t bytes) const {
  return resident.device->use([&] { return "allocating host memory"; }, [&] { return pinned_bytes(resident.device, bytes); });
}

std::vector<std::string> CudaExecutable::memory_report(int64_t batch) const {
  const MemoryInfo info = resident.device->use([&] { return "reading the memory's state"; }, [] { return memory_info(); });
  return {
      fmt::format("GPU memory: weights {}, activations {} at batch {}, kernels {} ({} programs)", human_bytes(weight_bytes()),
                  human_bytes(arena_bytes(batch)), batch, human_bytes(resident.code_bytes), resident.functions.size()),
      fmt::format("GPU memory in use, all processes and contexts: {} of {}", human_bytes(info.total - info.free), human_bytes(info.total))};
}

}  // namespace octet::cuda
