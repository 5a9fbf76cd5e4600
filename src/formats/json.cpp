#include "formats/json.h"

#include <string>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace octet {
namespace {

// Walks the text once with no allocation. It need not be valid JSON: the parser judges that afterwards.
void check_limits(std::string_view text, std::string_view where, const JsonLimits& limits) {
  if (text.size() > limits.bytes) fail(Code::kInvalid, "{}: {} bytes of JSON, more than {}", where, text.size(), limits.bytes);
  int depth = 0;
  size_t values = 1, string_begin = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      else if (c == '"') in_string = false;
      if (i - string_begin > limits.string_bytes)
        fail(Code::kInvalid, "{}: the JSON string at byte {} is longer than {} bytes", where, string_begin, limits.string_bytes);
    } else if (c == '"') {
      in_string = true, string_begin = i;
    } else if (c == '[' || c == '{') {
      ++values;
      if (++depth > limits.depth) fail(Code::kInvalid, "{}: JSON nested deeper than {} at byte {}", where, limits.depth, i);
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',') {
      ++values;
    }
  }
  if (values > limits.values) fail(Code::kInvalid, "{}: more than {} JSON values", where, limits.values);
}

// The parser's event hook: remembers the keys of each open object.
class DuplicateKeys {
 public:
  explicit DuplicateKeys(std::string_view where) : where_(where) {}
  bool operator()(nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) open_.emplace_back();
    if (event == Event::object_end) open_.pop_back();
    if (event == Event::key && !open_.back().insert(parsed.get_ref<const std::string&>()).second)
      fail(Code::kInvalid, "{}: duplicate JSON key `{}`", where_, printable(parsed.get_ref<const std::string&>()));
    return true;
  }

 private:
  std::string_view where_;
  std::vector<std::unordered_set<std::string>> open_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  check_limits(text, where, limits);
  DuplicateKeys keys(where);
  try {
    return nlohmann::json::parse(text.begin(), text.end(),
                                 [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) { return keys(event, parsed); });
  } catch (const nlohmann::json::exception& error) {
    fail(Code::kInvalid, "{}: not valid JSON: {}", where, printable(error.what(), 300));
  }
}

nlohmann::json read_json(const std::filesystem::path& path, const JsonLimits& limits) {
  const auto file = MappedFile::open(path);
  return parse_json(file->text(), path.string(), limits);
}

}  // namespace octet
