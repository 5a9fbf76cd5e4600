// XXH3-128 (xxhash.com), the hash of every section of a plan. Not a signature: safety rests on validation.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace octet {

struct Hash128 {
  uint64_t low = 0, high = 0;
  bool operator==(const Hash128&) const = default;
};
Hash128 xxh3_128(std::span<const std::byte> bytes);
std::string hex(const Hash128& hash);  // 32 digits, high word first

}  // namespace octet
