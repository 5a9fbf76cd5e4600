// Unicode as the reference CLIP tokenizer sees it: three libraries of three Unicode versions are behind it, so this is
// utf8proc's data corrected to them code point by code point. Next: splitter.h, which cuts text by these classes.
#pragma once
#include <string>
#include <string_view>

namespace octet::text {

// Strict UTF-8 (no surrogates, no overlong forms, nothing past U+10FFFF). Throws Error{kInvalid} naming the byte offset.
std::u32string decode_utf8(std::string_view utf8);
void check_utf8(std::string_view utf8);  // only throws
void append_utf8(std::string& out, char32_t c);

// Regular expression classes \s, \p{L}, \p{N} of Unicode 16.
bool is_space(char32_t c);
bool is_letter(char32_t c);
bool is_number(char32_t c);

// Normalisation form C with the data of Unicode 9: marks assigned later have combining class 0. O(n log n).
std::u32string nfc(std::u32string_view text);

// Full lower case of each character on its own (Unicode 17; no final sigma). Only U+0130 grows, to two characters.
std::u32string lower(std::u32string_view text);

}  // namespace octet::text
