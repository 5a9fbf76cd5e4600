#include "group.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "numeric/convert.h"
#include "numeric/host_tensor.h"

namespace octet::conformance {
namespace {

// Normal values, drawn once and read from another place for every seed. The period is a prime: no two rows are alike.
constexpr size_t kPeriod = 65521;
const std::vector<float>& normals() {
  static const std::vector<float> values = [] {
    std::mt19937_64 random;
    std::normal_distribution<float> normal;
    std::vector<float> drawn(kPeriod);
    for (float& value : drawn) value = normal(random);
    return drawn;
  }();
  return values;
}

std::vector<std::byte> filled(DType dtype, int64_t count, const Fill& fill, uint32_t seed) {
  std::vector<std::byte> bytes(static_cast<size_t>(count) * size_of(dtype));
  std::mt19937 random(seed);
  if (is_integer(dtype)) {
    for (int64_t i = 0; i < count; ++i) {
      const auto id = static_cast<int64_t>(random() % static_cast<uint64_t>(fill.ids));
      std::memcpy(bytes.data() + static_cast<size_t>(i) * size_of(dtype), &id, size_of(dtype));
    }
    return bytes;
  }
  std::vector<float> values(static_cast<size_t>(count));
  size_t at = random() % kPeriod;
  for (float& value : values) {
    value = static_cast<float>(fill.mean + fill.deviation * static_cast<double>(normals()[at]));
    at = at + 1 == kPeriod ? 0 : at + 1;
  }
  encode_many(dtype, values.data(), count, bytes.data());
  return bytes;
}

constexpr DType kTypes[] = {DType::e4m3, DType::f16, DType::bf16, DType::f32};

}  // namespace

plan::Id Group::buffer(DType dtype, std::vector<int64_t> dims, const Fill& fill) {
  const auto id = static_cast<plan::Id>(plan->buffers.size());
  plan->buffers.push_back({fmt::format("buffer{}", id), dtype, std::move(dims), plan->arena_bytes_per_item, 0});
  plan->arena_bytes_per_item += (plan::bytes_per_item(plan->buffers.back()) + 63) / 64 * 64;
  fills_.push_back(fill);
  return id;
}

plan::Id Group::weight(DType dtype, std::vector<int64_t> dims, const Fill& fill) {
  const std::vector<std::byte> bytes = filled(dtype, element_count(dims), fill, ++seed_);
  auto tensor = std::make_shared<HostTensor>(dtype, dims);
  std::memcpy(tensor->mutable_data(), bytes.data(), bytes.size());
  const auto id = static_cast<plan::Id>(plan->weights.size());
  plan->weights.push_back({fmt::format("weight{}", id), dtype, std::move(dims), 0});
  plan->weight_bytes.push_back(tensor->bytes());
  plan->storage.push_back(tensor);
  return id;
}

plan::Id Group::positive(int64_t count) {
  const plan::Id id = weight(DType::f32, {count});
  auto tensor = std::make_shared<HostTensor>(DType::f32, std::vector<int64_t>{count});
  for (int64_t i = 0; i < count; ++i) tensor->set(i, std::exp2(static_cast<double>(i * 7 % 33) / 8 - 2));
  plan->weight_bytes[id] = tensor->bytes();
  plan->storage.push_back(tensor);
  return id;
}

void Group::step(plan::Operation op, int64_t batch) {
  cases.push_back({batch, ++seed_});
  plan->steps.push_back({fmt::format("case{}", plan->steps.size()), std::move(op), {}});
}

std::vector<std::byte> Group::values(plan::Id id, const Case& c) const {
  const plan::Buffer& buffer = plan->buffers.at(id);
  return filled(buffer.dtype, c.batch * element_count(buffer.dims), fills_.at(id), c.seed * 31 + id);
}

std::span<const std::string> group_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const char* family : {"gemm", "attention"})
      for (const DType type : kTypes) all.push_back(fmt::format("{}_{}", family, type));
    for (const char* family : {"norm", "embed", "patch", "pool", "l2normalize", "masked", "steps", "softmax", "fake_quantize", "pointwise"})
      all.emplace_back(family);
    return all;
  }();
  return names;
}

Group make_group(const std::string& name) {
  Group group;
  group.plan->name = name;
  for (const DType type : kTypes) {
    if (name == fmt::format("gemm_{}", type)) add_gemm(group, type);
    if (name == fmt::format("attention_{}", type)) add_attention(group, type);
  }
  if (name == "steps") add_attention_steps(group);
  if (name == "softmax") add_masked_steps(group);
  if (name == "norm") add_norm(group);
  if (name == "embed") add_embed(group);
  if (name == "masked") add_masked(group), add_typed_embed(group);
  if (name == "patch") add_patch_embed(group);
  if (name == "pool") add_pool(group);
  if (name == "l2normalize") add_l2normalize(group);
  if (name == "fake_quantize") add_fake_quantize(group);
  if (name == "pointwise") add_pointwise(group);
  return group;
}

}  // namespace octet::conformance
