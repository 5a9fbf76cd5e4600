#include "shapes.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace octet::cli {
namespace {

int64_t parse_size(const std::string& text, const std::string& whole) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    throw Error(Code::kUsage, fmt::format("--shapes: `{}` in `{}` is not a size", printable(text), printable(whole)),
                "write name:128x3x224x224");
  return value;
}

}  // namespace

Shapes parse_shapes(const std::string& text) {
  Shapes shapes;
  if (text.empty()) return shapes;
  for (const std::string& part : split(text, ',')) {
    const size_t colon = part.rfind(':');
    if (colon == part.npos || colon == 0)
      throw Error(Code::kUsage, fmt::format("--shapes: `{}` has no `name:`", printable(part)), "write name:128x3x224x224");
    std::vector<int64_t> dims;
    for (const auto& size : split(std::string_view(part).substr(colon + 1), 'x')) dims.push_back(parse_size(size, part));
    if (!shapes.emplace(part.substr(0, colon), dims).second)
      throw Error(Code::kUsage, fmt::format("--shapes names `{}` twice", printable(part.substr(0, colon))));
  }
  return shapes;
}

int64_t batch_of(const plan::Plan& plan, const Shapes& shapes) {
  int64_t batch = -1;
  std::vector<std::string> names;
  for (const auto& input : plan.inputs) names.push_back(input.name);
  for (const auto& [name, dims] : shapes) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw Error(Code::kUsage, fmt::format("--shapes: the engine has no input `{}`", printable(name)), "inputs: " + join(names, ", "));
    const auto& item = plan.buffers[plan.inputs[static_cast<size_t>(found - names.begin())].buffer].dims;
    if (dims.size() != item.size() + 1 || !std::equal(item.begin(), item.end(), dims.begin() + 1))
      throw Error(Code::kUsage,
                  fmt::format("--shapes: `{}` is {}, the engine takes [batch,{}]", name, fmt::join(dims, "x"), fmt::join(item, ",")));
    if (batch >= 0 && dims[0] != batch) throw Error(Code::kUsage, fmt::format("--shapes: batches {} and {} differ", batch, dims[0]));
    batch = dims[0];
  }
  if (batch == 0) throw Error(Code::kUsage, "--shapes: batch 0 runs nothing");
  return batch < 0 ? 1 : batch;
}

}  // namespace octet::cli
