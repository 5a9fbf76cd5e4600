// What every reader here parses: bytes with an owner and a name for messages, and a bounds-checked cursor over them.
// All numbers are little-endian, as octet's machines are. Next: safetensors.h, zip/zip.h, npy.h, tar.h.
#pragma once
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"

namespace octet {

// Bytes that `owner` keeps alive (a mapped file, a buffer, or nobody). `where` opens every message about them.
struct Blob {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  std::string where;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  // bytes[begin, begin + count), same owner. Throws Error{kInvalid} when they do not all exist.
  Blob slice(uint64_t begin, uint64_t count, std::string name) const {
    if (begin > bytes.size() || count > bytes.size() - begin)
      fail(Code::kInvalid, "{}: bytes {} + {} lie outside its {} bytes", name, begin, count, bytes.size());
    return {bytes.subspan(begin, count), owner, std::move(name)};
  }
};

inline Blob map_blob(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  return {bytes, std::move(file), path.string()};
}

// Reads forward; every read past the end throws Error{kInvalid}. `where` must outlive the cursor.
class ByteCursor {
 public:
  ByteCursor(std::span<const std::byte> bytes, std::string_view where) : bytes_(bytes), where_(where) {}
  size_t offset() const { return offset_; }
  size_t left() const { return bytes_.size() - offset_; }

  std::span<const std::byte> take(uint64_t count) {
    if (count > left()) fail(Code::kInvalid, "{}: truncated: {} bytes needed at byte {}, {} left", where_, count, offset_, left());
    offset_ += static_cast<size_t>(count);
    return bytes_.subspan(offset_ - static_cast<size_t>(count), static_cast<size_t>(count));
  }
  std::string_view text(uint64_t count) {
    const auto bytes = take(count);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  template <class T>
  T number() {
    static_assert(std::is_arithmetic_v<T>);
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view where_;
  size_t offset_ = 0;
};

}  // namespace octet
