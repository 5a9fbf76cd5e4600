// Each step of an engine on the tensors of another runtime: what the two make of one and the same input.
#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "compare.h"
#include "plan/uses.h"

namespace octet {
namespace {

using Named = std::map<std::string, HostTensor>;

// What the other runtime has for the buffers of a plan, in the form in which the plan's steps store it.
class Theirs {
 public:
  Theirs(const Named& tensors, const plan::Plan& plan, int64_t batch) : tensors_(tensors), plan_(plan), batch_(batch) {
    for (size_t i = 0; i < plan.steps.size(); ++i) writer_[plan::out_of(plan.steps[i].op)] = i;
    for (const plan::SourceNode& node : plan.source.nodes)
      if (node.op == "QuantizeLinear")
        for (const std::string& output : node.outputs) codes_.insert(output);
  }

  // The bytes of buffer `id`; nullopt where the other runtime has no such tensor, or holds it in another layout.
  std::optional<std::vector<std::byte>> stored(plan::Id id) const {
    const auto writer = writer_.find(id);
    if (writer == writer_.end() || holds_keys(id)) return std::nullopt;
    const plan::Buffer& buffer = plan_.buffers[id];
    const plan::Step& step = plan_.steps[writer->second];
    const std::vector<const HostTensor*> parts = parts_of(buffer);
    if (parts.empty()) return std::nullopt;
    const std::vector<double> factor = factors_of(plan_, step), scale = scales_of(plan_, step);
    const int64_t cols = buffer.dims.back(), width = cols / static_cast<int64_t>(parts.size());
    std::vector<double> row(static_cast<size_t>(cols));
    std::vector<std::byte> bytes(plan::bytes_per_item(buffer) * static_cast<uint64_t>(batch_));
    const int64_t rows = static_cast<int64_t>(bytes.size() / size_of(buffer.dtype)) / cols;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        const HostTensor& part = *parts[static_cast<size_t>(c / width)];
        row[static_cast<size_t>(c)] =
            scaled(part, r * width + c % width, factor[static_cast<size_t>(c)], scale[static_cast<size_t>(c)], buffer);
      }
      oracle::encode(buffer.dtype, row.data(), cols, bytes.data(), r * cols);
    }
    return bytes;
  }

 private:
  // The tensor of that name; or those of the projections that a merged step writes side by side.
  std::vector<const HostTensor*> parts_of(const plan::Buffer& buffer) const {
    const auto count = static_cast<int64_t>(plan::bytes_per_item(buffer) / size_of(buffer.dtype)) * batch_;
    const std::vector<std::string> names = model_tensors(buffer.name);
    std::vector<const HostTensor*> parts;
    for (const std::string& name : names) {
      auto part = tensors_.find(name);
      if (part == tensors_.end() && buffer.dtype == DType::e4m3) part = tensors_.find(before_moving(name));
      if (part == tensors_.end() || part->second.count() * static_cast<int64_t>(names.size()) != count) return {};
      parts.push_back(&part->second);
    }
    return parts;
  }
  // Of an unfused attention: [heads * tokens, padded keys], a layout no runtime shares.
  bool holds_keys(plan::Id id) const {
    const plan::Operation& op = plan_.steps[writer_.at(id)].op;
    const auto* rounded = std::get_if<plan::FakeQuantize>(&op);
    if (rounded != nullptr && writer_.count(rounded->in) != 0) return holds_keys(rounded->in);
    return std::holds_alternative<plan::Scores>(op) || std::holds_alternative<plan::Softmax>(op);
  }
  // A value as the step stores it: times what the step folded in, a product that the model rounds to its own type, over its scale.
  double scaled(const HostTensor& part, int64_t at, double factor, double scale, const plan::Buffer& buffer) const {
    const double value = part.at(at);
    if (buffer.dtype == DType::e4m3 && codes_.count(buffer.name) != 0) return value;
    double product = value * factor;
    if (factor != 1) {
      std::byte bits[4];
      oracle::encode(part.dtype(), &product, 1, bits, 0);
      oracle::decode(part.dtype(), bits, 0, 1, &product);
    }
    return buffer.dtype == DType::e4m3 ? static_cast<float>(product) / static_cast<float>(scale) : product;
  }

  const Named& tensors_;
  const plan::Plan& plan_;
  int64_t batch_;
  std::map<plan::Id, size_t> writer_;
  std::set<std::string> codes_;  // tensors that are codes themselves
};

}  // namespace

std::string before_moving(const std::string& name) {
  const size_t dot = name.find_last_of('.');
  const bool counted = dot != name.npos && dot + 1 < name.size() && name.find_first_not_of("0123456789", dot + 1) == name.npos;
  return counted ? name.substr(0, dot) : name;
}

std::vector<std::string> model_tensors(const std::string& buffer) {
  std::vector<std::string> names;
  for (size_t begin = 0, end = 0; end != buffer.npos; begin = end + plan::kMerged.size()) {
    end = buffer.find(plan::kMerged, begin);
    names.push_back(buffer.substr(begin, end == buffer.npos ? end : end - begin));
  }
  return names.size() == 3 ? names : std::vector<std::string>{buffer};
}

LayerReport compare_forced(const Named& a, const std::string& runtime, const Side& b, int64_t batch) {
  const Theirs theirs(a, b.plan, batch);
  LayerReport report;
  b.context.reserve(batch);
  std::map<plan::Id, std::vector<std::byte>> given;  // what each buffer must hold when it is read
  for (size_t i = 0; i < b.inputs.size(); ++i) {
    std::vector<std::byte>& bytes = given[b.plan.inputs[i].buffer];
    bytes.resize(b.context.buffer(b.plan.inputs[i].buffer, batch).size());
    std::memcpy(bytes.data(), b.inputs[i], bytes.size());
  }
  for (size_t index = 0; index < b.plan.steps.size(); ++index) {
    const plan::Step& step = b.plan.steps[index];
    const plan::Id out = plan::out_of(step.op);
    const plan::Buffer& buffer = b.plan.buffers[out];
    for (const plan::Id id : plan::reads_of(step.op)) std::ranges::copy(given.at(id), b.context.buffer(id, batch).begin());
    b.context.run_step(index, batch);
    const std::span<const std::byte> mine = b.context.buffer(out, batch);
    auto stored = theirs.stored(out);
    if (stored) {
      const std::vector<double> scale = scales_of(b.plan, step);
      report.layers.push_back({buffer.name, runtime, step.name, buffer.dtype, buffer.dtype,
                               compare_tensors({buffer.dtype, *stored, scale}, {buffer.dtype, mine, scale}, buffer.dims.back())});
    } else {
      report.only_b.push_back(buffer.name);
    }
    given[out] = stored ? std::move(*stored) : std::vector<std::byte>(mine.begin(), mine.end());
  }
  return report;
}

}  // namespace octet
