#include "shapes.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace octet::cli {
namespace {

constexpr const char* kSpelling = "write name:128x3x224x224";

// Commas between single quotes separate nothing.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (const char c : text) {
    quoted ^= c == '\'';
    if (c == ',' && !quoted) parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

std::pair<std::string, std::string> split_part(const std::string& part, const std::string& flag, bool last) {
  size_t begin = 0, end = last ? part.rfind(':') : part.find(':'), value = end + 1;
  if (part.starts_with('\'')) {
    begin = 1, end = part.find('\'', 1);
    value = end == part.npos ? end : end + 2;
    if (end == part.npos || part.size() <= end + 1 || part[end + 1] != ':') end = part.npos;
  }
  if (end == part.npos || end == begin)
    throw Error(Code::kUsage, fmt::format("{}: `{}` has no `name:`", flag, printable(part)), last ? kSpelling : "write name:file");
  return {part.substr(begin, end - begin), part.substr(value)};
}

int64_t parse_size(const std::string& text, const std::string& whole, const std::string& flag) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    throw Error(Code::kUsage, fmt::format("{}: `{}` in `{}` is not a size", flag, printable(text), printable(whole)), kSpelling);
  return value;
}

bool matches(const std::string& pattern, const std::string& name) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos) return pattern == name;
  return name.size() + 1 >= pattern.size() && name.starts_with(pattern.substr(0, star)) && name.ends_with(pattern.substr(star + 1));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_named(const std::string& text, const std::string& flag, bool last) {
  std::vector<std::pair<std::string, std::string>> named;
  std::set<std::string> names;
  if (text.empty()) return named;
  for (const std::string& part : parts_of(text)) {
    named.push_back(split_part(part, flag, last));
    const std::string& name = named.back().first;
    if (std::ranges::count(name, '*') > 1) throw Error(Code::kUsage, fmt::format("{}: `{}` has more than one *", flag, printable(name)));
    if (!names.insert(name).second) throw Error(Code::kUsage, fmt::format("{} names `{}` twice", flag, printable(name)));
  }
  return named;
}

Shapes parse_shapes(const std::string& text, const std::string& flag) {
  Shapes shapes;
  for (const auto& [name, value] : parse_named(text, flag, true)) {
    std::vector<int64_t>& dims = shapes[name];
    if (value.empty() || value == "scalar") continue;
    for (const auto& size : split(value, 'x')) dims.push_back(parse_size(size, name + ":" + value, flag));
  }
  return shapes;
}

std::map<std::string, std::string> resolve_names(const std::vector<std::string>& given, const NameRules& rules,
                                                 std::vector<std::string>& warnings) {
  std::map<std::string, std::string> found;
  for (const std::string& name : given) {
    bool known = false;
    for (const std::string& input : rules.inputs)
      if (matches(name, input)) {
        known = true;
        if (!found.emplace(input, name).second && name == input) found[input] = name;  // a name goes before a pattern
      }
    if (known) continue;
    if (!rules.strict && rules.inputs.size() == 1 && given.size() == 1) {
      warnings.push_back(fmt::format("{}: the model has no input `{}`; it is taken for its only one, `{}` (--strictNames refuses)",
                                     rules.flag, printable(name), printable(rules.inputs[0])));
      found[rules.inputs[0]] = name;
      continue;
    }
    const std::vector<std::string> inputs(rules.inputs.begin(), rules.inputs.end());
    const std::string near = nearest(name, inputs);
    throw Error(Code::kUsage, fmt::format("{}: the engine has no input `{}`", rules.flag, printable(name)),
                near.empty() ? "inputs: " + join(inputs, ", ") : "did you mean `" + near + "`?");
  }
  return found;
}

Shapes resolve(const Shapes& shapes, const NameRules& rules, std::vector<std::string>& warnings) {
  std::vector<std::string> names;
  for (const auto& [name, dims] : shapes) names.push_back(name);
  Shapes out;
  for (const auto& [input, name] : resolve_names(names, rules, warnings)) out[input] = shapes.at(name);
  return out;
}

std::vector<std::string> input_names(const plan::Plan& plan) {
  std::vector<std::string> names;
  for (const auto& input : plan.inputs) names.push_back(input.name);
  return names;
}

int64_t batch_of(const plan::Plan& plan, const Shapes& shapes, const std::string& flag) {
  int64_t batch = -1;
  const std::vector<std::string> names = input_names(plan);
  for (const auto& [name, dims] : shapes)
    if (std::ranges::find(names, name) == names.end())
      throw Error(Code::kUsage, fmt::format("{}: the engine has no input `{}`", flag, printable(name)), "inputs: " + join(names, ", "));
  for (const auto& input : plan.inputs) {
    const auto found = shapes.find(input.name);
    if (found == shapes.end()) continue;
    const std::vector<int64_t>& dims = found->second;
    const auto& item = plan.buffers[input.buffer].dims;
    if (dims.size() != item.size() + 1 || !std::equal(item.begin(), item.end(), dims.begin() + 1))
      throw Error(Code::kUsage, fmt::format("{}: `{}` is {}, the engine takes [batch,{}]", flag, printable(input.name),
                                            dims.empty() ? "a scalar" : fmt::format("{}", fmt::join(dims, "x")), fmt::join(item, ",")));
    if (batch >= 0 && dims[0] != batch) throw Error(Code::kUsage, fmt::format("{}: batches {} and {} differ", flag, batch, dims[0]));
    batch = dims[0];
  }
  if (batch == 0) throw Error(Code::kUsage, flag + ": batch 0 runs nothing");
  return batch < 0 ? 1 : batch;
}

}  // namespace octet::cli
