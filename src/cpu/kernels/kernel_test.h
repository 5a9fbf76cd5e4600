// What the kernel tests share: arrays of any float dtype with guard bytes around them, and the one way results are judged:
// the code written must be the rounding of some value within `bound` of the exact one.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cpu/isa.h"
#include "numeric/convert.h"
#include "numeric/dtype.h"

namespace octet::cpu::kernel_test {

// Bytes that begin at a multiple of `align` and end, as far as that allows, where a page begins that nobody may touch: a read or write past
// the end is a fault. All is filled, what lies before the first byte too. Copies are deep.
class FencedBytes {
 public:
  explicit FencedBytes(size_t size, uint8_t fill = 0xa5, size_t align = 1)
      : size_(size), align_(align), pages_((size + align + kPage - 1) / kPage * kPage), fill_(fill) {
    void* memory = ::mmap(nullptr, pages_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || ::mprotect(static_cast<uint8_t*>(memory) + pages_, kPage, PROT_NONE) != 0) std::abort();
    memory_ = static_cast<uint8_t*>(memory);
    std::memset(memory_, fill, pages_);
  }
  FencedBytes(const FencedBytes& other) : FencedBytes(other.size_, other.fill_, other.align_) {
    std::memcpy(memory_, other.memory_, pages_);
  }
  FencedBytes& operator=(FencedBytes other) {
    std::swap(size_, other.size_), std::swap(align_, other.align_), std::swap(pages_, other.pages_);
    std::swap(fill_, other.fill_), std::swap(memory_, other.memory_);
    return *this;
  }
  ~FencedBytes() { ::munmap(memory_, pages_ + kPage); }
  uint8_t* data() const { return memory_ + (pages_ - size_) / align_ * align_; }
  size_t size() const { return size_; }
  bool front_untouched() const {
    return std::all_of(memory_, data(), [this](uint8_t byte) { return byte == fill_; });
  }

 private:
  static constexpr size_t kPage = 4096;
  size_t size_, align_, pages_;
  uint8_t fill_;
  uint8_t* memory_;
};

// count elements of a dtype behind 64 guard bytes and in front of a forbidden page; starts filled with 0xa5 (so an element that nobody
// writes is seen).
class Guarded {
 public:
  Guarded(DType dtype, int64_t count) : dtype_(dtype), count_(count), bytes_(bytes() + kGuard, kFill) {}
  Guarded(DType dtype, std::span<const float> values) : Guarded(dtype, static_cast<int64_t>(values.size())) {
    encode_many(dtype, values.data(), count_, data());
  }
  uint8_t* data() { return bytes_.data() + kGuard; }
  const uint8_t* data() const { return bytes_.data() + kGuard; }
  int64_t count() const { return count_; }
  DType dtype() const { return dtype_; }
  size_t bytes() const { return static_cast<size_t>(count_) * size_of(dtype_); }
  std::vector<float> values() const {
    std::vector<float> out(static_cast<size_t>(count_));
    decode_many(dtype_, data(), count_, out.data());
    return out;
  }
  bool guards_intact() const {
    return std::all_of(bytes_.data(), bytes_.data() + kGuard, [](uint8_t byte) { return byte == kFill; });
  }
  bool operator==(const Guarded& other) const {
    return bytes_.size() == other.bytes_.size() && std::memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr uint8_t kFill = 0xa5;
  DType dtype_;
  int64_t count_;
  FencedBytes bytes_;
};

inline std::vector<float> normal_values(int64_t count, float deviation, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = normal(engine);
  return out;
}

// The value of `x` after one rounding to `dtype`.
inline double rounded(DType dtype, double x) {
  switch (dtype) {
    case DType::f16:
      return decode_f16(encode_f16(x));
    case DType::bf16:
      return decode_bf16(encode_bf16(x));
    case DType::e4m3:
      return decode_e4m3(encode_e4m3(x));
    default:
      return encode_f32(x);
  }
}

// Rounding is monotonic: got is the rounding of a value in [exact - bound, exact + bound] iff it lies between theirs.
inline bool rounds_from(DType dtype, double got, double exact, double bound) {
  if (std::isnan(exact)) return std::isnan(got);
  return got >= rounded(dtype, exact - bound) && got <= rounded(dtype, exact + bound);
}

// May this machine run a kernel that needs `isa`?
inline bool usable(uint32_t isa) { return (isa & ~usable_isa()) == 0; }

struct Scratch {
  explicit Scratch(size_t bytes) : memory(bytes + 64) {}
  void* data() {
    const auto address = reinterpret_cast<uintptr_t>(memory.data());
    return memory.data() + ((64 - address % 64) % 64);
  }
  std::vector<uint8_t> memory;
};

}  // namespace octet::cpu::kernel_test
