// Owned memory aligned to 64 bytes (a cache line, an AMX tile row, a zmm); large blocks ask for huge pages.
#pragma once
#include <cstddef>
#include <memory>

namespace octet {

class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(size_t size);  // zero-filled; throws std::bad_alloc
  std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

inline size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace octet
