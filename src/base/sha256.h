// SHA-256 (FIPS 180-4), for the identity of a processor/. Speed does not matter here; a dependency on OpenSSL would.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace octet {

class Sha256 {
 public:
  void update(std::string_view bytes);
  std::string hex();  // finishes; 64 digits

 private:
  void block(const unsigned char* data);
  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> pending_{};
  size_t filled_ = 0;
  uint64_t total_ = 0;
};

}  // namespace octet
