// Names, numbers and tensor elements in the IR text, both ways. Internal to ir/text_print.cpp and ir/text_parse.cpp.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "numeric/host_tensor.h"

namespace octet::text {

bool is_word_char(char c);
std::string quote(std::string_view text);            // "..." with escapes; every byte outside printable ASCII becomes \xNN
std::string word_or_quote(std::string_view name);    // bare where every character allows it
std::string symbol_or_quote(std::string_view name);  // likewise; a symbol that reads as a number is quoted too

std::optional<int64_t> parse_int(std::string_view word);
std::string print_float(float value);  // shortest that reads back; NaN as bits
std::optional<float> parse_float(std::string_view word);
std::string print_element(const HostTensor& tensor, int64_t i);
bool parse_element(std::string_view word, HostTensor& tensor, int64_t i);  // false: not an element of that dtype

}  // namespace octet::text
