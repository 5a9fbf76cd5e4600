// Words, strings, marks; white space and comments between them.
#include "ir/text_lexer.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "ir/text_literals.h"

namespace octet::text {

Token Lexer::next() {
  Token taken = std::move(token_);
  advance();
  return taken;
}

bool Lexer::accept(std::string_view mark_or_word) {
  if (!is(mark_or_word)) return false;
  advance();
  return true;
}

void Lexer::expect(std::string_view mark_or_word) {
  if (!accept(mark_or_word)) fail_expected("`" + std::string(mark_or_word) + "`");
}

std::string Lexer::word(std::string_view what) {
  if (token_.kind != Token::kWord) fail_expected(what);
  return next().text;
}

std::string Lexer::string(std::string_view what) {
  if (token_.kind != Token::kString) fail_expected(what);
  return next().text;
}

std::string Lexer::word_or_string(std::string_view what) { return token_.kind == Token::kString ? next().text : word(what); }

void Lexer::fail_at(size_t offset, std::string message, std::string fix) const {
  const std::string_view before = source_.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n');
  const size_t column = start == before.npos ? offset + 1 : offset - start;
  throw Error(Code::kInvalid, fmt::format("line {}, column {}: {}", line, column, message), std::move(fix));
}

void Lexer::fail_expected(std::string_view what) const {
  const std::string found = token_.kind == Token::kEnd ? "the end" : "`" + printable(token_.text, 60) + "`";
  fail_at(token_.offset, fmt::format("expected {}, found {}", what, found));
}

void Lexer::advance() {
  while (position_ < source_.size()) {
    const char c = source_[position_];
    if (c == ';') position_ = std::min(source_.find('\n', position_), source_.size());
    else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') ++position_;
    else break;
  }
  token_ = Token{Token::kEnd, {}, position_};
  if (position_ == source_.size()) return;
  const size_t begin = position_;
  if (source_[position_] == '"') return read_string();
  while (position_ < source_.size() && is_word_char(source_[position_])) ++position_;
  token_.kind = position_ > begin ? Token::kWord : Token::kMark;
  if (position_ == begin) ++position_;
  token_.text = source_.substr(begin, position_ - begin);
}

void Lexer::read_string() {
  token_.kind = Token::kString;
  for (++position_; position_ < source_.size(); ++position_) {
    const char c = source_[position_];
    if (c == '"') {
      ++position_;
      return;
    }
    if (c == '\n') break;
    if (c != '\\') {
      token_.text += c;
      continue;
    }
    const size_t escape = position_++;
    const char kind = position_ < source_.size() ? source_[position_] : '\n';
    if (kind == 'n') token_.text += '\n';
    else if (kind == '"' || kind == '\\') token_.text += kind;
    else if (kind == 'x' && position_ + 2 < source_.size()) {
      unsigned byte = 0;
      const char* digits = source_.data() + position_ + 1;
      if (std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) fail_at(escape, "\\x needs two hexadecimal digits");
      token_.text += static_cast<char>(byte);
      position_ += 2;
    } else fail_at(escape, "unknown escape in a string", "use \\\", \\\\, \\n or \\xNN");
  }
  fail_at(token_.offset, "a string is not closed on its line");
}

}  // namespace octet::text
