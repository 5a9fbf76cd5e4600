#include "text/bpe.h"

#include <xxhash.h>

#include <queue>
#include <random>

#include "base/error.h"
#include "base/text.h"
#include "text/unicode.h"

namespace octet::text {
namespace {

constexpr std::string_view kWordEnd = "</w>";

uint64_t pair_key(int32_t left, int32_t right) { return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right); }

int32_t require(const Vocabulary& vocabulary, const std::string& token, size_t rank) {
  const auto it = vocabulary.ids.find(token);
  if (it == vocabulary.ids.end()) {
    throw Error(Code::kInvalid, fmt::format("merge {} needs the token `{}`, which the vocabulary lacks", rank, printable(token)),
                "use vocab.json and merges.txt of the same tokenizer");
  }
  return it->second;
}

// A symbol of the word being merged: a link of a doubly linked list over the byte positions. -1: no neighbour.
struct Symbol {
  int32_t id, previous, next;
};

// A merge that was possible when it was queued; stale when its ends changed since.
struct Candidate {
  uint32_t rank;
  int32_t left, id;
  bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
};

uint64_t hash_seed() {
  static const uint64_t seed = uint64_t{std::random_device{}()} << 32 | std::random_device{}();
  return seed;
}

}  // namespace

size_t SeededHash::operator()(const std::string& text) const { return XXH3_64bits_withSeed(text.data(), text.size(), hash_seed()); }
size_t SeededHash::operator()(uint64_t key) const { return XXH3_64bits_withSeed(&key, sizeof key, hash_seed()); }

// Printable Latin-1 bytes stand for themselves; the others, in order, for U+0100 and up.
std::string byte_symbol(unsigned char byte) {
  const auto printable_byte = [](unsigned b) { return (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff); };
  char32_t c = byte;
  if (!printable_byte(byte)) {
    c = 0x100;
    for (unsigned b = 0; b < byte; ++b) c += !printable_byte(b);
  }
  std::string out;
  append_utf8(out, c);
  return out;
}

Bpe::Bpe(const Vocabulary& vocabulary, int32_t unknown) {
  const auto id_or_unknown = [&](const std::string& token) {
    const auto it = vocabulary.ids.find(token);
    return it == vocabulary.ids.end() ? unknown : it->second;
  };
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string symbol = byte_symbol(static_cast<unsigned char>(byte));
    inner_ids_[byte] = id_or_unknown(symbol);
    last_ids_[byte] = id_or_unknown(symbol.append(kWordEnd));
  }
  rules_.reserve(vocabulary.merges.size());
  for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const auto& [left, right] = vocabulary.merges[rank];
    const uint64_t key = pair_key(require(vocabulary, left, rank), require(vocabulary, right, rank));
    rules_[key] = Rule{static_cast<uint32_t>(rank), require(vocabulary, left + right, rank)};  // a repeated pair: the last counts
  }
}

const Bpe::Rule* Bpe::find(int32_t left, int32_t right) const {
  const auto it = rules_.find(pair_key(left, right));
  return it == rules_.end() ? nullptr : &it->second;
}

void Bpe::encode(std::string_view word, std::vector<int32_t>& ids) const {
  if (word.empty()) return;
  OCTET_CHECK(word.size() <= size_t{1} << 30, word.size());
  const auto count = static_cast<int32_t>(word.size());
  std::vector<Symbol> symbols(word.size());
  for (int32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<size_t>(i)]);
    symbols[static_cast<size_t>(i)] = i + 1 < count ? Symbol{inner_ids_[byte], i - 1, i + 1} : Symbol{last_ids_[byte], i - 1, -1};
  }
  const auto at = [&](int32_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };

  std::priority_queue<Candidate> queue;
  const auto offer = [&](int32_t left) {
    if (left < 0 || at(left).next < 0) return;
    if (const Rule* rule = find(at(left).id, at(at(left).next).id)) queue.push({rule->rank, left, rule->id});
  };
  for (int32_t i = 0; i < count; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = at(best.left);
    if (left.id < 0 || left.next < 0) continue;
    const Rule* rule = find(left.id, at(left.next).id);
    if (!rule || rule->id != best.id) continue;
    Symbol& right = at(left.next);
    left.id = best.id;
    left.next = right.next;
    right.id = -1;  // swallowed
    if (left.next >= 0) at(left.next).previous = best.left;
    offer(left.previous);
    offer(best.left);
  }
  for (int32_t i = 0; i >= 0; i = at(i).next) ids.push_back(at(i).id);
}

}  // namespace octet::text
