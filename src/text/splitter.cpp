#include "text/splitter.h"

#include <algorithm>

#include "text/unicode.h"

namespace octet::text {
namespace {

constexpr std::u32string_view kSpecial[] = {U"<|startoftext|>", U"<|endoftext|>"};
constexpr std::u32string_view kContractions[] = {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"};

bool is_other(char32_t c) { return !is_space(c) && !is_letter(c) && !is_number(c); }

template <class Set>
size_t match(const Set& words, std::u32string_view text) {
  for (const auto word : words)
    if (text.starts_with(word)) return word.size();
  return 0;
}

}  // namespace

std::u32string_view ClipSplitter::next() {
  while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  if (position_ == text_.size()) return {};
  const std::u32string_view rest = text_.substr(position_);
  // A special spelling is cut here into "<|", the word and "|>"; the fence keeps "|>" apart from what follows.
  if (const size_t length = match(kSpecial, rest)) fence_ = position_ + length;
  const size_t limit = position_ < fence_ ? fence_ - position_ : rest.size();
  size_t length = match(kContractions, rest);
  if (length == 0) {
    const auto in_run = is_letter(rest[0]) ? is_letter : is_other;
    length = 1;
    if (!is_number(rest[0]))
      while (length < limit && in_run(rest[length])) ++length;
  }
  position_ += length;
  return rest.substr(0, length);
}

}  // namespace octet::text
