#include "base/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>

namespace octet {

Hash128 xxh3_128(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

namespace {
XXH3_state_t* state_of(void* state) { return static_cast<XXH3_state_t*>(state); }
}  // namespace

Hasher128::Hasher128() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_of(state_));
}
Hasher128::~Hasher128() { XXH3_freeState(state_of(state_)); }
void Hasher128::update(std::span<const std::byte> bytes) { XXH3_128bits_update(state_of(state_), bytes.data(), bytes.size()); }
Hash128 Hasher128::digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_of(state_));
  return {hash.low64, hash.high64};
}

std::string hex(const Hash128& hash) { return fmt::format("{:016x}{:016x}", hash.high, hash.low); }

}  // namespace octet
