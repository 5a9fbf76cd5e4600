// The writing half of safetensors.h.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/text.h"
#include "formats/safetensors.h"
#include "formats/safetensors_dtype.h"

namespace octet {
namespace {

constexpr size_t kHeaderAlignment = 8;

std::string quoted(const std::string& text, const std::filesystem::path& path) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail(Code::kInvalid, "{}: the name `{}` is not UTF-8", path.string(), printable(text));
  }
}

std::string_view spelling(DType dtype) {
  for (const auto& [name, known] : kSafetensorsDTypes)
    if (known == dtype) return name;
  OCTET_CHECK(false, name_of(dtype));
  return {};
}

uint64_t byte_size(const TensorSpec& spec) {
  return static_cast<uint64_t>(element_count(spec.dims)) * size_of(spec.dtype);  // < 2^62 * 8
}

std::vector<size_t> layout(std::span<const TensorSpec> specs) {
  std::vector<size_t> order(specs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return size_of(specs[a].dtype) > size_of(specs[b].dtype); });
  return order;
}

std::string header(const std::filesystem::path& path, std::span<const TensorSpec> specs, std::span<const size_t> order,
                   const Metadata& metadata) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) json += quoted(key, path) + ":" + quoted(value, path) + ",";
    json.back() = '}';
    json += ',';
  }
  uint64_t at = 0;
  for (const size_t i : order) {
    const uint64_t size = byte_size(specs[i]);
    json += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}},", quoted(specs[i].name, path),
                        spelling(specs[i].dtype), fmt::join(specs[i].dims, ","), at, at + size);
    at += size;
  }
  if (json.back() == ',') json.pop_back();
  json += '}';
  json.resize((json.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  return json;
}

void check_names(const std::filesystem::path& path, std::span<const TensorSpec> specs) {
  std::set<std::string_view> seen{"__metadata__"};
  for (const auto& spec : specs)
    if (!seen.insert(spec.name).second) fail(Code::kInvalid, "{}: the tensor name `{}` is taken", path.string(), printable(spec.name));
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorSpec> specs, const Metadata& metadata,
                       const std::function<HostTensor(size_t)>& make) {
  check_names(path, specs);
  const auto order = layout(specs);
  const std::string json = header(path, specs, order, metadata);
  AtomicFile file(path);
  const uint64_t length = json.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(json);
  for (const size_t i : order) {
    const HostTensor tensor = make(i);
    OCTET_CHECK(tensor.dtype() == specs[i].dtype && tensor.dims() == specs[i].dims, specs[i].name, describe(tensor));
    file.write(tensor.bytes());
  }
  file.commit();
}

void write_safetensors(const std::filesystem::path& path, std::span<const std::pair<std::string, HostTensor>> tensors,
                       const Metadata& metadata) {
  std::vector<TensorSpec> specs;
  for (const auto& [name, tensor] : tensors) specs.push_back({name, tensor.dtype(), tensor.dims()});
  write_safetensors(path, specs, metadata, [&](size_t i) { return tensors[i].second; });
}

}  // namespace octet
