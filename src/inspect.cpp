#include "inspect.h"

#include <cctype>

namespace octet {

std::string without_numbers(std::string_view name) {
  const auto is = [&](int (*kind)(int), size_t at) { return kind(static_cast<unsigned char>(name[at])) != 0; };
  std::string out;
  for (size_t i = 0, end = 0; i < name.size(); i = end) {
    for (end = i; end < name.size() && is(std::isdigit, end) == is(std::isdigit, i);) ++end;
    const bool in_word = i > 0 && (is(std::isalpha, i - 1) || name[i - 1] == '_');  // the 1 of fc1 is part of a name
    out += is(std::isdigit, i) && !in_word ? "*" : name.substr(i, end - i);
  }
  return out;
}

void StorageCount::add(DType dtype, int64_t elements) {
  const auto size = static_cast<int64_t>(size_of(dtype));
  all_.add(elements, size);
  by_dtype_[dtype].add(elements, size);
}

Json StorageCount::to_json() const {
  Json out = all_.to_json();
  out["by_dtype"] = Json::object();
  for (const auto& [dtype, share] : by_dtype_) out["by_dtype"][std::string(name_of(dtype))] = share.to_json();
  return out;
}

}  // namespace octet
