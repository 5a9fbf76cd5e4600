// Byte-pair encoding over byte-level symbols, as in GPT-2 and CLIP: every byte of a word is a symbol, the last one carries
// "</w>", and the pair of lowest rank (leftmost first) is merged until none is left. Next: vocabulary.h, which reads it.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace octet::text {

// Hashes with a seed drawn once a process, so that no vocabulary file can be made of colliding keys.
struct SeededHash {
  size_t operator()(const std::string& text) const;
  size_t operator()(uint64_t key) const;
};

struct Vocabulary {
  std::unordered_map<std::string, int32_t, SeededHash> ids;  // token -> id
  std::vector<std::pair<std::string, std::string>> merges;   // in order of rank
};

class Bpe {
 public:
  // `unknown` is the id given to a byte whose symbol the vocabulary lacks.
  // Throws Error{kInvalid} when a merge names a token, or makes one, that the vocabulary lacks.
  Bpe(const Vocabulary& vocabulary, int32_t unknown);
  // Appends the ids of one word of UTF-8 bytes (at most 2^30 of them). O(n log n) in its length.
  void encode(std::string_view word, std::vector<int32_t>& ids) const;

 private:
  struct Rule {
    uint32_t rank;
    int32_t id;
  };
  const Rule* find(int32_t left, int32_t right) const;

  std::unordered_map<uint64_t, Rule, SeededHash> rules_;  // (left id, right id) -> merge
  std::array<int32_t, 256> inner_ids_{}, last_ids_{};     // byte -> id, within a word and at its end
};

// The printable character that stands for a byte in the vocabulary, as UTF-8.
std::string byte_symbol(unsigned char byte);

}  // namespace octet::text
