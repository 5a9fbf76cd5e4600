#include "text/vocabulary.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace octet::text {
namespace {

constexpr size_t kMaxFileBytes = size_t{64} << 20;  // the largest published tokenizer.json is about 35 MB
constexpr size_t kMaxDepth = 64;

// Splits "left right" at its only space.
std::pair<std::string, std::string> parse_merge(std::string_view line, size_t rank) {
  const size_t space = line.find(' ');
  if (space == line.npos || space == 0 || space + 1 == line.size() || line.find(' ', space + 1) != line.npos) {
    fail(Code::kInvalid, "merge {} is `{}`; expected two tokens with one space between them", rank, printable(line, 60));
  }
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

// Streaming reader: keeps only what a Vocabulary holds, so memory stays in proportion to the file whatever it nests.
class VocabularyHandler {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  // `vocab_path`: the dotted path of the token -> id object; `merges_path`: of the merges ("-" for none).
  VocabularyHandler(Vocabulary& out, std::string_view vocab_path, std::string_view merges_path)
      : out_(out), vocab_path_(vocab_path), merges_path_(merges_path) {}

  bool null() { return scalar(); }
  bool boolean(bool) { return scalar(); }
  bool number_float(number_float_t, const string_t&) { return scalar(); }
  bool binary(binary_t&) { return scalar(); }
  bool number_integer(number_integer_t) { return scalar(); }
  bool number_unsigned(number_unsigned_t value) {
    if (!in_vocab()) return scalar();
    if (value > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
      fail(Code::kInvalid, "token `{}` has the id {}; ids end at 2^31 - 1", printable(key_), value);
    }
    out_.ids[key_] = static_cast<int32_t>(value);
    return true;
  }
  bool string(string_t& value) {
    if (path_is(merges_path_) && frames_.back().array) {
      out_.merges.push_back(parse_merge(value, out_.merges.size()));
    } else if (in_merge_pair()) {
      pair_.push_back(value);
      if (pair_.size() > 2) bad_pair();
    } else {
      return scalar();
    }
    return true;
  }
  bool start_object(size_t) { return open(false); }
  bool start_array(size_t) { return open(true); }
  bool key(string_t& value) { return key_ = value, true; }
  bool end_object() { return close(); }
  bool end_array() {
    if (in_merge_pair()) {
      if (pair_.size() != 2) bad_pair();
      out_.merges.emplace_back(std::move(pair_[0]), std::move(pair_[1]));
      pair_.clear();
    }
    return close();
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    fail(Code::kInvalid, "not valid JSON at byte {}", position);
  }
  bool found_vocab() const { return found_vocab_; }

 private:
  struct Frame {
    bool array;
    size_t parent_length;  // of path_, without this frame's name
  };

  bool path_is(std::string_view path) const { return !frames_.empty() && path_ == path; }
  bool in_vocab() const { return path_is(vocab_path_) && !frames_.back().array; }
  bool in_merge_pair() const {
    return frames_.size() >= 2 && frames_.back().array && frames_[frames_.size() - 2].array && path_.size() == merges_path_.size() + 2 &&
           path_.starts_with(merges_path_);
  }
  [[noreturn]] void bad_pair() const { fail(Code::kInvalid, "merge {} is not a pair of tokens", out_.merges.size()); }
  bool scalar() const {
    if (in_vocab()) fail(Code::kInvalid, "token `{}` has no integer id", printable(key_));
    if (path_is(merges_path_) || in_merge_pair()) bad_pair();
    return true;
  }
  bool open(bool array) {
    if (in_vocab()) fail(Code::kInvalid, "token `{}` has no integer id", printable(key_));
    if (frames_.size() == kMaxDepth) fail(Code::kInvalid, "JSON nested deeper than {}", kMaxDepth);
    const size_t parent = path_.size();
    // A child of an array is named "[]" (two characters: see in_merge_pair), a child of an object by its key.
    if (!frames_.empty() && frames_.back().array) path_ += "[]";
    if (!frames_.empty() && !frames_.back().array) path_ += (parent ? "." : "") + key_;
    frames_.push_back({array, parent});
    if (in_vocab()) found_vocab_ = true;
    return true;
  }
  bool close() {
    path_.resize(frames_.back().parent_length);
    frames_.pop_back();
    return true;
  }

  Vocabulary& out_;
  const std::string_view vocab_path_, merges_path_;
  std::vector<Frame> frames_;
  std::string path_, key_;
  std::vector<std::string> pair_;
  bool found_vocab_ = false;
};

void read_json(std::string_view json, Vocabulary& out, std::string_view vocab_path, std::string_view merges_path) {
  if (json.size() > kMaxFileBytes)
    fail(Code::kInvalid, "{} is more than a vocabulary may have ({})", human_bytes(json.size()), human_bytes(kMaxFileBytes));
  VocabularyHandler handler(out, vocab_path, merges_path);
  nlohmann::json::sax_parse(json, &handler);
  if (!handler.found_vocab() || out.ids.empty()) fail(Code::kInvalid, "no object of tokens and ids in it");
}

}  // namespace

void read_vocab_json(std::string_view json, Vocabulary& out) { read_json(json, out, "", "-"); }

void read_tokenizer_json(std::string_view json, Vocabulary& out) { read_json(json, out, "model.vocab", "model.merges"); }

void read_merges_txt(std::string_view text, Vocabulary& out) {
  if (text.size() > kMaxFileBytes)
    fail(Code::kInvalid, "{} is more than a merges file may have ({})", human_bytes(text.size()), human_bytes(kMaxFileBytes));
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("#version")) continue;
    out.merges.push_back(parse_merge(line, out.merges.size()));
  }
}

Vocabulary load_vocabulary(const std::filesystem::path& directory) {
  Vocabulary out;
  const auto read = [&](const char* name, auto&& parse) {
    const auto path = directory / name;
    with_context([&] { return fmt::format("reading {}", path.string()); }, [&] { parse(MappedFile::open(path)->text(), out); });
  };
  if (std::filesystem::exists(directory / "tokenizer.json")) {
    read("tokenizer.json", read_tokenizer_json);
  } else {
    read("vocab.json", read_vocab_json);
    read("merges.txt", read_merges_txt);
  }
  return out;
}

}  // namespace octet::text
