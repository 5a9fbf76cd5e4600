// Where the sections of a .plan file lie: the 64-byte header and the section table, written and checked. Bytes are in
// docs/formats/plan.md. A layout is canonical: given the section sizes every offset is fixed, so nothing can hide between them.
#pragma once
#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"

namespace octet::plan {

enum class SectionId : uint32_t { kMeta = 1, kBuffers, kWeights, kSteps, kSource, kData };
inline constexpr size_t kSectionCount = 6;
inline constexpr size_t kAlign = 64;  // of sections, and of tensors in the data section
inline constexpr size_t kHeaderBytes = 64, kEntryBytes = 40, kCreatorBytes = 24;
inline constexpr std::string_view kMagic = "octetpln";

struct Section {
  uint64_t offset = 0, size = 0;
  Hash128 hash;
};
struct Layout {
  std::string creator;
  std::array<Section, kSectionCount> sections;  // in the order of SectionId
  Section& operator[](SectionId id) { return sections[static_cast<size_t>(id) - 1]; }
  const Section& operator[](SectionId id) const { return sections[static_cast<size_t>(id) - 1]; }
};

std::string_view name_of(SectionId id);  // "meta buffers weights steps source data"

// The hash stored at kHashAt: of the header before it and of the table. `file` holds at least kTableEnd bytes.
inline constexpr size_t kHashAt = 48, kTableEnd = kHeaderBytes + kSectionCount * kEntryBytes;
Hash128 head_hash(std::span<const std::byte> file);
// Sets every offset from the sizes; returns the size of the file.
uint64_t place(Layout& layout);
// The header and the table, zero-padded to the first section. Needs place() and the hashes.
std::vector<std::byte> encode(const Layout& layout);
// Everything wrong with the head of `file`, whose whole size counts; `layout` is complete if nothing is.
std::vector<std::string> check_layout(std::span<const std::byte> file, Layout& layout);

}  // namespace octet::plan
