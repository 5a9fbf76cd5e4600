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
// The same over parts given one after another: update(a), update(b) hashes like xxh3_128(a + b).
class Hasher128 {
 public:
  Hasher128();
  ~Hasher128();
  Hasher128(const Hasher128&) = delete;
  Hasher128& operator=(const Hasher128&) = delete;
  void update(std::span<const std::byte> bytes);
  Hash128 digest() const;

 private:
  void* state_;
};
std::string hex(const Hash128& hash);  // 32 digits, high word first

}  // namespace octet
