#include <algorithm>
#include <cstring>

#include "base/aligned.h"
#include "cuda/steps/step.h"
#include "numeric/host_tensor.h"

namespace octet::cuda {
namespace {

constexpr size_t kAlignment = 256;  // of every weight: TMA needs 16, whole sectors and lines are read anyway

bool same(const Program& a, const Program& b) {
  return a.file == b.file && a.entry == b.entry && a.defines == b.defines && a.target.sm == b.target.sm && a.target.exact == b.target.exact;
}

}  // namespace

size_t Preparation::add(std::span<const std::byte> content) {
  contents_.push_back(content);
  return contents_.size() - 1;
}
size_t Preparation::weight(plan::Id id) {
  if (const auto known = weights_.find(id); known != weights_.end()) return known->second;
  return weights_[id] = add(plan.weight_bytes.at(id));
}
size_t Preparation::bytes(std::vector<std::byte> content) {
  owned_.push_back(std::move(content));
  return add(owned_.back());
}
size_t Preparation::vector(const std::vector<float>& values) {
  constexpr size_t kWidestTile = 256;  // kernels copy a whole tile's columns at once (kernels/gemm/gemm.h)
  std::vector<std::byte> content(round_up(values.size(), kWidestTile) * sizeof(float));
  std::memcpy(content.data(), values.data(), values.size() * sizeof(float));
  return bytes(std::move(content));
}
size_t Preparation::program(Program program) {
  const auto known = std::ranges::find_if(programs_, [&](const Program& one) { return same(one, program); });
  if (known != programs_.end()) return static_cast<size_t>(known - programs_.begin());
  programs_.push_back(std::move(program));
  return programs_.size() - 1;
}

Resident Preparation::finish(std::shared_ptr<Device> device) const {
  Resident resident{device, gpu, options, {}, {}, {}, 0, std::make_shared<Tuning>()};
  const size_t free = memory_info().free;
  resident.functions = load(device, programs_, gpu);
  const size_t after = memory_info().free;
  resident.code_bytes = free > after ? free - after : 0;
  size_t total = 0;
  for (const auto content : contents_) {
    resident.offsets.push_back(total);
    total += round_up(content.size(), kAlignment);
  }
  resident.weights = DeviceBytes(device, total, "the weights of this engine");
  const Stream stream(device);
  for (size_t i = 0; i < contents_.size(); ++i) stream.upload(resident.at(i), contents_[i]);
  stream.synchronize();
  return resident;
}

std::vector<float> weight_f32(const plan::Plan& plan, plan::Id id, size_t count, float fallback) {
  if (id == plan::kNoId) return std::vector<float>(count, fallback);
  const plan::Weight& weight = plan.weights.at(id);
  return to_f32(HostTensor(weight.dtype, weight.dims, plan.weight_bytes.at(id), nullptr));
}

bool is_preferred(const CudaOptions& options, std::string_view name) {
  return std::ranges::any_of(options.rows, [&](const std::string& part) { return name.find(part) != std::string_view::npos; });
}

}  // namespace octet::cuda
