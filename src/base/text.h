// Small text tools shared by every layer.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

std::vector<std::string> split(std::string_view text, char separator);  // "a,,b" -> {"a", "", "b"}
std::string_view trim(std::string_view text);                           // ASCII white space off both ends
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string human_bytes(uint64_t bytes);  // "291.2 MiB"
// `text` made safe for a terminal and one line: control bytes and broken UTF-8 become \xNN; cut at `limit` bytes.
std::string printable(std::string_view text, size_t limit = 200);
// The candidate nearest to `word` by edit distance (at most a third of its length), or "".
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace octet
