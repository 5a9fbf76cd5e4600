// Reads and writes .plan files. Reading validates every field (plan/validate.h) before anything is used.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "plan/plan.h"

namespace octet::plan {

inline constexpr uint32_t kFormatVersion = 2;

// Byte-reproducible: the same Plan gives the same bytes. Atomic: a killed writer leaves the old file. Returns the size.
uint64_t write(const Plan& plan, const std::filesystem::path& path);
// Maps the file; weights stay views of it. Throws Error{kInvalid} with the place and the reason.
Plan read(const std::filesystem::path& path);
Plan read(std::shared_ptr<const MappedFile> file);

struct Validity {
  bool runs_here = false;
  std::vector<std::string> reasons;  // why not: one line each (magic, version, truncated, hash of section X, ...)
};
Validity engine_validity(const std::filesystem::path& path);  // header and section table only
bool looks_like_plan(std::span<const std::byte> bytes);

}  // namespace octet::plan
