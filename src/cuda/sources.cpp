#include "cuda/sources.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace octet::cuda {
namespace {

const nvrtc::Source& source(std::string_view name) {
  for (const nvrtc::Source& one : embedded_files())
    if (one.name == name) return one;
  fail(Code::kInternal, "no device code called {} is embedded", name);
}

void add(std::string_view name, std::vector<nvrtc::Source>& all) {
  if (std::ranges::any_of(all, [&](const nvrtc::Source& one) { return one.name == name; })) return;
  all.push_back(source(name));
  for (const std::string& line : split(all.back().text, '\n')) {
    const std::string_view text = trim(line);
    constexpr std::string_view kInclude = "#include \"";
    if (text.starts_with(kInclude)) add(source(text.substr(kInclude.size(), text.rfind('"') - kInclude.size())).name, all);
  }
}

}  // namespace

std::vector<nvrtc::Source> sources_of(std::string_view file) {
  std::vector<nvrtc::Source> all;
  add(file, all);
  return all;
}

}  // namespace octet::cuda
