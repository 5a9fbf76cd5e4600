#include "base/cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Entries become machine code: a directory that others may write to is not used.
bool is_ours(const fs::path& directory) {
  struct stat info {};
  return ::stat(directory.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() &&
         (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

fs::path cache_directory() {
  if (const std::string own = environment("OCTET_CACHE_DIR"); !own.empty()) return own;
  if (const std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) return fs::path(xdg) / "octet";
  if (const std::string home = environment("HOME"); !home.empty()) return fs::path(home) / ".cache" / "octet";
  return {};
}

std::optional<std::vector<std::byte>> read_cache(std::string_view name) {
  const fs::path directory = cache_directory();
  if (directory.empty() || !is_ours(directory)) return std::nullopt;
  try {
    const auto file = MappedFile::open(directory / name);
    const std::span<const std::byte> bytes = file->bytes();
    Hash128 hash;
    if (bytes.size() < sizeof hash) return std::nullopt;
    std::memcpy(&hash, bytes.data(), sizeof hash);
    const auto content = bytes.subspan(sizeof hash);
    if (xxh3_128(content) != hash) return std::nullopt;
    return std::vector<std::byte>(content.begin(), content.end());
  } catch (const Error&) {
    return std::nullopt;
  }
}

void write_cache(std::string_view name, std::span<const std::byte> bytes) {
  const fs::path directory = cache_directory();
  if (directory.empty()) return;
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);
  ::mkdir(directory.c_str(), 0700);
  if (!is_ours(directory)) return;
  try {
    const Hash128 hash = xxh3_128(bytes);
    AtomicFile file(directory / name);
    file.write(std::as_bytes(std::span(&hash, 1)));
    file.write(bytes);
    file.commit();
  } catch (const Error&) {  // a full or read-only disk: the next run does the work again
  }
}

}  // namespace octet
