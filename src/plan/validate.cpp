#include "plan/validate.h"

#include <algorithm>
#include <set>

#include "plan/layout.h"
#include "plan/validate_parts.h"

namespace octet::plan {
namespace {

// Far above any model, and low enough that items times batch never leaves 64 bits.
constexpr int64_t kMaxDim = INT32_MAX;
constexpr uint64_t kMaxItemBytes = 1ull << 40;
constexpr size_t kMaxRank = 8;

void check_dims(const std::vector<int64_t>& dims, DType dtype, const char* what, const std::string& name) {
  require(!dims.empty() && dims.size() <= kMaxRank, "{} `{}` has rank {}, not 1 to {}", what, printable(name), dims.size(), kMaxRank);
  uint64_t bytes = size_of(dtype);
  for (const int64_t dim : dims) {
    require(dim >= 1 && dim <= kMaxDim, "{} `{}` has a dimension of {}", what, printable(name), dim);
    const bool overflow = __builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes);
    require(!overflow && bytes <= kMaxItemBytes, "{} `{}` has more than 2^40 bytes", what, printable(name));
  }
}

void check_buffers(const Plan& plan) {
  require(plan.arena_bytes_per_item <= kMaxItemBytes, "an arena of {} bytes an item", plan.arena_bytes_per_item);
  for (const Buffer& buffer : plan.buffers) {
    const auto name = [&] { return printable(buffer.name); };
    check_dims(buffer.dims, buffer.dtype, "buffer", buffer.name);
    require(buffer.bound <= 1, "buffer `{}`: bound is {}, not 0 or 1", name(), buffer.bound);
    if (buffer.bound) {
      require(buffer.offset == 0, "buffer `{}` is bound, yet has offset {}", name(), buffer.offset);
      continue;
    }
    const uint64_t bytes = bytes_per_item(buffer);
    require(buffer.offset % kAlign == 0, "buffer `{}`: offset {} is no multiple of {}", name(), buffer.offset, kAlign);
    require(buffer.offset <= plan.arena_bytes_per_item && bytes <= plan.arena_bytes_per_item - buffer.offset,
            "buffer `{}` ends outside the arena of {} bytes an item", name(), plan.arena_bytes_per_item);
  }
}

void check_weights(const Plan& plan) {
  require(plan.weights.size() == plan.weight_bytes.size(), "{} weights, {} with bytes", plan.weights.size(), plan.weight_bytes.size());
  for (size_t i = 0; i < plan.weights.size(); ++i) {
    const Weight& weight = plan.weights[i];
    check_dims(weight.dims, weight.dtype, "weight", weight.name);
    uint64_t bytes = size_of(weight.dtype);
    for (const int64_t dim : weight.dims) bytes *= static_cast<uint64_t>(dim);
    require(bytes == plan.weight_bytes[i].size(), "weight `{}` needs {} bytes, has {}", printable(weight.name), bytes,
            plan.weight_bytes[i].size());
  }
}

void check_bindings(const Plan& plan) {
  require(!plan.outputs.empty(), "no outputs");
  std::set<std::string_view> names;
  std::set<Id> buffers;
  for (const auto* list : {&plan.inputs, &plan.outputs}) {
    for (const Binding& binding : *list) {
      const auto name = [&] { return printable(binding.name); };
      require(!binding.name.empty(), "an input or output has no name");
      require(names.insert(binding.name).second, "`{}` names two inputs or outputs", name());
      require(binding.buffer < plan.buffers.size(), "`{}` is bound to buffer {} of {}", name(), binding.buffer, plan.buffers.size());
      require(plan.buffers[binding.buffer].bound == 1, "`{}` is bound to an arena buffer", name());
      require(buffers.insert(binding.buffer).second, "`{}` shares its buffer with another input or output", name());
    }
  }
  const auto bound = static_cast<size_t>(std::ranges::count_if(plan.buffers, [](const Buffer& b) { return b.bound == 1; }));
  require(bound == buffers.size(), "{} bound buffers, {} inputs and outputs", bound, buffers.size());
}

// Every node belongs to exactly one step or was folded; or there is no source at all.
void check_source(const Plan& plan) {
  const Source& source = plan.source;
  if (source.nodes.empty() && source.steps.empty() && source.folded.empty()) return;
  require(source.steps.size() == plan.steps.size(), "source: {} step lists for {} steps", source.steps.size(), plan.steps.size());
  std::vector<bool> seen(source.nodes.size());
  const auto see = [&](uint32_t node) {
    require(node < seen.size(), "source: node {} of {}", node, seen.size());
    require(!seen[node], "source: node {} is listed twice", node);
    seen[node] = true;
  };
  for (const auto& list : source.steps) std::ranges::for_each(list, see);
  std::ranges::for_each(source.folded, see);
  const auto missing = std::ranges::find(seen, false);
  require(missing == seen.end(), "source: node {} is in no list", missing - seen.begin());
}

void check_meta(const Plan& plan) {
  const auto plain = [](unsigned char c) { return c >= 0x20 && c < 0x7f; };
  require(plan.creator.size() <= kCreatorBytes && std::ranges::all_of(plan.creator, plain),
          "creator `{}` is not plain text of at most {} bytes", printable(plan.creator), kCreatorBytes);
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  const std::string& sha = plan.processor_sha256;
  require(sha.empty() || (sha.size() == 64 && std::ranges::all_of(sha, digit)), "processor_sha256 is not 64 hexadecimal digits");
}

}  // namespace

void validate(const Plan& plan) {
  check_meta(plan);
  check_buffers(plan);
  check_weights(plan);
  check_bindings(plan);
  for (size_t i = 0; i < plan.steps.size(); ++i) in_step(plan, i, [&] { validate_step(plan, plan.steps[i]); });
  validate_memory(plan);
  check_source(plan);
}

}  // namespace octet::plan
