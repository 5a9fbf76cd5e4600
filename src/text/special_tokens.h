// The special tokens of a CLIP tokenizer: which they are, their ids, and where they are looked for in a text.
// Read from tokenizer_config.json, special_tokens_map.json and tokenizer.json, each of which may be missing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe.h"

namespace octet::text {

struct SpecialToken {
  std::string content;
  int32_t id = 0;
  bool normalized = false;  // looked for in the normalised text (in lower case) instead of the raw one
};

struct SpecialTokens {
  int32_t bos = 0, eos = 0, unknown = 0, pad = 0;
  std::vector<SpecialToken> all;  // each content once

  // The first occurrence in text[from, ..): the longest token at the leftmost place, or null. Only tokens of that kind.
  const SpecialToken* find(std::string_view text, size_t from, bool normalized, size_t& position) const;
};

// Precedence as in HF transformers 5. Without any file: <|startoftext|> and <|endoftext|>, the latter also unknown and pad.
// Throws Error{kInvalid} for a malformed file or a token the vocabulary lacks, Error{kUnsupported} for a token that also
// takes neighbouring spaces or whole words (lstrip, rstrip, single_word).
SpecialTokens load_special_tokens(const std::filesystem::path& directory, const Vocabulary& vocabulary);

}  // namespace octet::text
