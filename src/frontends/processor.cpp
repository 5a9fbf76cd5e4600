#include "frontends/processor.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/sha256.h"

namespace octet {
namespace {

constexpr const char* kCopied[] = {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt"};
constexpr const char* kOwn = "processor.json";

}  // namespace

void write_processor(const Checkpoint& checkpoint, const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail(Code::kIo, "cannot create {}: {}", directory.string(), error.message());
  for (const char* name : kCopied)
    if (std::filesystem::exists(checkpoint.dir / name)) write_text(directory / name, MappedFile::open(checkpoint.dir / name)->text());
  const double logit_scale = std::exp(checkpoint.tensor("logit_scale").at(0));
  write_text(directory / kOwn, nlohmann::json{{"logit_scale", logit_scale}}.dump(2) + "\n");
}

std::string processor_sha256(const std::filesystem::path& directory) {
  if (!std::filesystem::is_directory(directory)) return "";
  Sha256 hash;
  const auto add = [&](const std::string& name) {
    if (!std::filesystem::exists(directory / name)) return;
    const auto file = MappedFile::open(directory / name);
    hash.update(fmt::format("{}:{}:", name, file->bytes().size()));
    hash.update(file->text());
  };
  for (const char* name : kCopied) add(name);
  add(kOwn);
  return hash.hex();
}

}  // namespace octet
