// CLIP's tokenizer, equal to HF transformers' CLIPTokenizer for every text: special tokens are cut out, the rest is
// normalised (NFC, lower case), split into pieces and byte-pair encoded. Read next, in order: special_tokens.h, unicode.h,
// splitter.h, bpe.h.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "text/bpe.h"
#include "text/special_tokens.h"

namespace octet {

class ClipTokenizer {
 public:
  // From a checkpoint folder with tokenizer.json, or vocab.json and merges.txt.
  // Throws Error: kIo for a missing file, kInvalid for a malformed one, kUnsupported for what octet cannot do.
  static ClipTokenizer load(const std::filesystem::path& directory);

  // bos, the ids of the text, eos; a text too long is cut so that bos, its head and eos are `max_length` ids.
  // Throws Error{kInvalid} for text that is not UTF-8 or longer than 64 MiB, Error{kUsage} for max_length < 2.
  std::vector<int32_t> encode(std::string_view utf8, int max_length = 77) const;
  // The same, filled up to exactly `max_length` ids with `pad` (default: the tokenizer's own, for CLIP eos).
  std::vector<int32_t> encode_padded(std::string_view utf8, int max_length = 77, std::optional<int32_t> pad = {}) const;

  int32_t bos_id() const { return special_.bos; }
  int32_t eos_id() const { return special_.eos; }
  int32_t pad_id() const { return special_.pad; }
  int32_t vocab_size() const { return vocab_size_; }  // one more than the greatest id

 private:
  ClipTokenizer(const text::Vocabulary& vocabulary, text::SpecialTokens special);
  void encode_raw(std::string_view utf8, size_t limit, std::vector<int32_t>& ids) const;
  void encode_normalized(std::string_view utf8, size_t limit, std::vector<int32_t>& ids) const;
  void encode_plain(std::u32string_view text, size_t limit, std::vector<int32_t>& ids) const;

  text::SpecialTokens special_;
  text::Bpe bpe_;
  int32_t vocab_size_ = 0;
};

}  // namespace octet
