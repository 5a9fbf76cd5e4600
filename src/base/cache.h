// Small files that a user's runs share: compiled kernels, measured choices. Losing them costs time, never correctness: every entry
// carries a hash of its bytes, and what is damaged, unreadable or not the user's own is as if it were absent.
#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace octet {

// OCTET_CACHE_DIR, else $XDG_CACHE_HOME/octet, else ~/.cache/octet; empty if none is set: nothing is then kept.
std::filesystem::path cache_directory();

// `name`: a file name, with what identifies the content in it (a hash of everything that it depends on).
std::optional<std::vector<std::byte>> read_cache(std::string_view name);
// Creates the directory (mode 0700) if need be; replaces an entry in one step. Failures are ignored.
void write_cache(std::string_view name, std::span<const std::byte> bytes);

}  // namespace octet
