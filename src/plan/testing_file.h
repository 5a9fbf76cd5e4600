// Plan files as bytes, for tests: write a plan, patch it, make its hashes right again, read it back.
#pragma once
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "plan/io.h"
#include "plan/layout.h"

namespace octet::plan::testing {

// A directory of this process, removed at the end; in memory where the system has such a place.
class Scratch {
 public:
  Scratch() {
    const bool shm = ::access("/dev/shm", W_OK) == 0;
    path_ =
        (shm ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) / ("octet_test." + std::to_string(::getpid()));
    std::filesystem::create_directories(path_);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void spill(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::string file_of(const Plan& plan, const Scratch& scratch) {
  write(plan, scratch / "written.plan");
  return slurp(scratch / "written.plan");
}

template <class T>
T peek(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}
template <class T>
void poke(std::string& bytes, size_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

// The section's place in a file whose table can be believed.
inline Section section_of(std::string_view file, SectionId id) {
  const size_t at = kHeaderBytes + (static_cast<size_t>(id) - 1) * kEntryBytes;
  return {peek<uint64_t>(file, at + 8), peek<uint64_t>(file, at + 16), {}};
}
// Recomputes every hash, so that what is tested is the validation of the fields and not the hash.
inline void rehash(std::string& file) {
  const auto bytes = std::as_bytes(std::span(file));
  for (size_t i = 1; i <= kSectionCount; ++i) {
    const Section section = section_of(file, static_cast<SectionId>(i));
    if (section.offset > file.size() || section.size > file.size() - section.offset) continue;
    const Hash128 hash = xxh3_128(bytes.subspan(section.offset, section.size));
    poke(file, kHeaderBytes + (i - 1) * kEntryBytes + 24, hash.low);
    poke(file, kHeaderBytes + (i - 1) * kEntryBytes + 32, hash.high);
  }
  const Hash128 head = head_hash(bytes);
  poke(file, kHashAt, head.low);
  poke(file, kHashAt + 8, head.high);
}

// Why `file` is refused; "" if it is read. Any other exception than Error{kInvalid} escapes.
inline std::string refusal(std::string_view file, const Scratch& scratch) {
  const auto path = scratch / "refused.plan";
  spill(path, file);
  try {
    read(path);
    return "";
  } catch (const Error& error) {
    if (error.code() != Code::kInvalid || error.message().empty()) throw;
    return error.message();
  }
}

}  // namespace octet::plan::testing
