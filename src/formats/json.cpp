#include "formats/json.h"

#include <string>
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
    } else if (c == ',' || c == ':') {
      ++values;
    }
  }
  if (values > limits.values) fail(Code::kInvalid, "{}: more than {} JSON values", where, limits.values);
}

// Builds the value from the parser's events. (nlohmann's own builder with a callback, which could also see duplicate keys,
// walks an object again after each member: a minute for 200,000 of them.)
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(std::string_view where) : where_(where) {}
  nlohmann::json take() { return std::move(root_); }

  bool null() override { return add(nullptr), true; }
  bool boolean(bool value) override { return add(value), true; }
  bool number_integer(number_integer_t value) override { return add(value), true; }
  bool number_unsigned(number_unsigned_t value) override { return add(value), true; }
  bool number_float(number_float_t value, const string_t&) override { return add(value), true; }
  bool string(string_t& value) override { return add(std::move(value)), true; }
  bool binary(binary_t& value) override { return add(nlohmann::json::binary(std::move(value))), true; }
  bool start_object(size_t) override { return open_.push_back(add(nlohmann::json::object())), true; }
  bool start_array(size_t) override { return open_.push_back(add(nlohmann::json::array())), true; }
  bool end_object() override { return open_.pop_back(), true; }
  bool end_array() override { return open_.pop_back(), true; }
  bool key(string_t& name) override {
    auto& members = open_.back()->get_ref<nlohmann::json::object_t&>();
    const auto [member, is_new] = members.emplace(std::move(name), nullptr);
    if (!is_new) fail(Code::kInvalid, "{}: duplicate JSON key `{}`", where_, printable(member->first));
    member_ = &member->second;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) override {
    fail(Code::kInvalid, "{}: not valid JSON: {}", where_, printable(error.what(), 300));
  }

 private:
  // Pointers to open containers stay valid: an array grows only while none of its elements is open.
  nlohmann::json* add(nlohmann::json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*member_ = std::move(value));
    return &open_.back()->emplace_back(std::move(value));
  }

  std::string_view where_;
  nlohmann::json root_;
  std::vector<nlohmann::json*> open_;
  nlohmann::json* member_ = nullptr;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  check_limits(text, where, limits);
  Builder builder(where);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

nlohmann::json read_json(const std::filesystem::path& path, const JsonLimits& limits) {
  const auto file = MappedFile::open(path);
  return parse_json(file->text(), path.string(), limits);
}

}  // namespace octet
