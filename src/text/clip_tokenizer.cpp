#include "text/clip_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "text/splitter.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace octet {
namespace {

constexpr size_t kMaxTextBytes = size_t{64} << 20;

// Walks `utf8` from special token to special token of one kind: between(text) for what lies between them.
// Stops when there are `limit` ids.
template <class Between>
void cut_special(const text::SpecialTokens& special, bool normalized, std::string_view utf8, size_t limit, std::vector<int32_t>& ids,
                 Between&& between) {
  for (size_t from = 0; from < utf8.size() && ids.size() < limit;) {
    size_t at = 0;
    const auto* token = special.find(utf8, from, normalized, at);
    between(utf8.substr(from, token ? at - from : utf8.npos));
    if (!token) return;
    ids.push_back(token->id);
    from = at + token->content.size();
  }
}

}  // namespace

ClipTokenizer::ClipTokenizer(const text::Vocabulary& vocabulary, text::SpecialTokens special)
    : special_(std::move(special)), bpe_(vocabulary, special_.unknown) {
  for (const auto& [token, id] : vocabulary.ids) vocab_size_ = std::max(vocab_size_, id + 1);
}

ClipTokenizer ClipTokenizer::load(const std::filesystem::path& directory) {
  return with_context([&] { return fmt::format("loading the tokenizer of {}", directory.string()); },
                      [&] {
                        const auto vocabulary = text::load_vocabulary(directory);
                        return ClipTokenizer(vocabulary, text::load_special_tokens(directory, vocabulary));
                      });
}

void ClipTokenizer::encode_raw(std::string_view utf8, size_t limit, std::vector<int32_t>& ids) const {
  cut_special(special_, false, utf8, limit, ids, [&](std::string_view part) { encode_normalized(part, limit, ids); });
}

void ClipTokenizer::encode_normalized(std::string_view utf8, size_t limit, std::vector<int32_t>& ids) const {
  const std::u32string normal = text::lower(text::nfc(text::decode_utf8(utf8)));
  const bool any = std::any_of(special_.all.begin(), special_.all.end(), [](const auto& token) { return token.normalized; });
  if (!any) return encode_plain(normal, limit, ids);
  std::string again;
  for (const char32_t c : normal) text::append_utf8(again, c);
  cut_special(special_, true, again, limit, ids, [&](std::string_view part) { encode_plain(text::decode_utf8(part), limit, ids); });
}

void ClipTokenizer::encode_plain(std::u32string_view text, size_t limit, std::vector<int32_t>& ids) const {
  text::ClipSplitter splitter(text);
  std::string word;
  for (auto piece = splitter.next(); !piece.empty() && ids.size() < limit; piece = splitter.next()) {
    word.clear();
    for (const char32_t c : piece) text::append_utf8(word, c);
    bpe_.encode(word, ids);
  }
}

std::vector<int32_t> ClipTokenizer::encode(std::string_view utf8, int max_length) const {
  if (max_length < 2) fail(Code::kUsage, "a token limit of {} leaves no room for the begin and end tokens", max_length);
  if (utf8.size() > kMaxTextBytes)
    fail(Code::kInvalid, "a text of {} is over the limit of {}", human_bytes(utf8.size()), human_bytes(kMaxTextBytes));
  text::check_utf8(utf8);                                    // all of it: encoding stops early
  const size_t limit = static_cast<size_t>(max_length) - 1;  // with bos, before eos
  std::vector<int32_t> ids{special_.bos};
  encode_raw(utf8, limit, ids);
  if (ids.size() > limit) ids.resize(limit);
  ids.push_back(special_.eos);
  return ids;
}

std::vector<int32_t> ClipTokenizer::encode_padded(std::string_view utf8, int max_length, std::optional<int32_t> pad) const {
  auto ids = encode(utf8, max_length);
  ids.resize(static_cast<size_t>(max_length), pad.value_or(special_.pad));
  return ids;
}

}  // namespace octet
