// Files: a read-only mapping, an atomic writer, and small conveniences. Errors are Error{kIo} naming the path.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace octet {

// A file mapped read-only. The bytes live as long as any copy of the shared_ptr that open() returns.
class MappedFile {
 public:
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);  // regular files only
  // The same for a file already opened for reading (the descriptor stays the caller's); `path` is only its name.
  static std::shared_ptr<const MappedFile> map(int fd, const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::filesystem::path& path() const { return path_; }
  // Tells the kernel that these pages will not be read soon (they stay readable).
  void release(std::span<const std::byte> range) const;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Writes to a temporary file beside `path`; commit() syncs and renames it over `path`. Uncommitted: no trace.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  uint64_t written() const { return written_; }
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  uint64_t written_ = 0;
};

std::string read_text(const std::filesystem::path& path);                   // whole file
void write_text(const std::filesystem::path& path, std::string_view text);  // atomic

}  // namespace octet
