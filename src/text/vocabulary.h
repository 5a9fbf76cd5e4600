// Reads a BPE vocabulary from a Hugging Face checkpoint folder: tokenizer.json when it is there, else vocab.json with
// merges.txt. The files are hostile input: sizes, types and ids are checked. Next: special_tokens.h.
#pragma once
#include <filesystem>
#include <string_view>

#include "text/bpe.h"

namespace octet::text {

// Throws Error{kIo} for a missing file and Error{kInvalid} for a malformed one, with the file's name in the trail.
Vocabulary load_vocabulary(const std::filesystem::path& directory);

// {"token": id, ...}; ids in [0, 2^31).
void read_vocab_json(std::string_view json, Vocabulary& out);
// One merge a line, "left right", in order of rank; a line that begins with "#version" is a comment.
void read_merges_txt(std::string_view text, Vocabulary& out);
// The members model.vocab and model.merges (["left right", ...] or [["left", "right"], ...]) of a tokenizer.json.
void read_tokenizer_json(std::string_view json, Vocabulary& out);

}  // namespace octet::text
