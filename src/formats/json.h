// JSON from a stranger: limits are checked on the text before a parser allocates anything, and duplicate keys (which
// nlohmann::json silently overwrites) are refused. Throws Error{kInvalid} with WHERE, reason and position.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

namespace octet {

struct JsonLimits {
  size_t bytes = size_t{32} << 20;
  int depth = 64;                         // nested arrays and objects
  size_t values = 1'000'000;              // keys count too: each costs the parser 16 to 150 bytes
  size_t string_bytes = size_t{1} << 20;  // one string, as written
};

nlohmann::json parse_json(std::string_view text, std::string_view where, const JsonLimits& limits = {});
nlohmann::json read_json(const std::filesystem::path& path, const JsonLimits& limits = {});  // missing file: Error{kIo}

}  // namespace octet
