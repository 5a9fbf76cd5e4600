// Tokens of the IR text, each with its place. Internal to ir/text_parse.cpp.
#pragma once
#include <string>
#include <string_view>

namespace octet::text {

struct Token {
  enum Kind { kEnd, kWord, kString, kMark } kind = kEnd;
  std::string text;  // the word; the string unescaped; the one character of a mark
  size_t offset = 0;
};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) { advance(); }
  const Token& peek() const { return token_; }
  Token next();
  bool is(std::string_view mark_or_word) const {
    return (token_.kind == Token::kMark || token_.kind == Token::kWord) && token_.text == mark_or_word;
  }
  bool accept(std::string_view mark_or_word);  // takes it if it is next
  void expect(std::string_view mark_or_word);  // else fails
  std::string word(std::string_view what);     // a bare word
  std::string string(std::string_view what);   // a quoted string
  std::string word_or_string(std::string_view what);
  // Throws Error{kInvalid} "line L, column C: message".
  [[noreturn]] void fail_at(size_t offset, std::string message, std::string fix = {}) const;
  [[noreturn]] void fail_expected(std::string_view what) const;

 private:
  void advance();
  void read_string();
  std::string_view source_;
  size_t position_ = 0;
  Token token_;
};

}  // namespace octet::text
