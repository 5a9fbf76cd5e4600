// processor/: what turns text and pictures into a model's inputs, copied from the checkpoint: tokenizer, preprocessing, config,
// logit_scale. An engine records its SHA-256, so that a mismatched pair is refused.
#pragma once
#include <filesystem>
#include <string>

#include "frontends/checkpoint.h"

namespace octet {

// Copies config.json, preprocessor_config.json, vocab.json, merges.txt and writes processor.json {"logit_scale": exp'd}.
// Files the checkpoint lacks are left out.
void write_processor(const Checkpoint& checkpoint, const std::filesystem::path& directory);
// SHA-256 (64 hex digits) over the names and contents of the directory's known files; "" if the directory does not exist.
std::string processor_sha256(const std::filesystem::path& directory);

}  // namespace octet
