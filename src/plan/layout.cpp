#include "plan/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/aligned.h"
#include "base/text.h"
#include "plan/io.h"

namespace octet::plan {
namespace {

// Offsets in the header.
constexpr size_t kVersionAt = 8, kCountAt = 12, kSizeAt = 16, kCreatorAt = 24;

template <class T>
T load(std::span<const std::byte> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}
template <class T>
void store(std::span<std::byte> bytes, size_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

// Text, then zeros up to the end of the field.
bool read_creator(std::span<const std::byte> file, std::string& creator) {
  const auto field = file.subspan(kCreatorAt, kCreatorBytes);
  const auto end = std::ranges::find(field, std::byte{0});
  creator.assign(reinterpret_cast<const char*>(field.data()), static_cast<size_t>(end - field.begin()));
  return all_zero({end, field.end()});
}

// The table must be what place() gives for its sizes.
void check_table(std::span<const std::byte> file, Layout& layout, std::vector<std::string>& reasons) {
  std::array<uint64_t, kSectionCount> stored{};
  for (size_t i = 0; i < kSectionCount; ++i) {
    const size_t at = kHeaderBytes + i * kEntryBytes;
    const auto name = name_of(static_cast<SectionId>(i + 1));
    if (load<uint32_t>(file, at) != i + 1 || load<uint32_t>(file, at + 4) != 0)
      reasons.push_back(fmt::format("section table: entry {} is not section {} ({})", i, i + 1, name));
    stored[i] = load<uint64_t>(file, at + 8);
    layout.sections[i].size = load<uint64_t>(file, at + 16);
    layout.sections[i].hash = {load<uint64_t>(file, at + 24), load<uint64_t>(file, at + 32)};
    if (layout.sections[i].size > file.size())
      return reasons.push_back(fmt::format("section {}: {} bytes, more than the file", name, layout.sections[i].size));
  }
  const uint64_t end = place(layout);
  for (size_t i = 0; i < kSectionCount; ++i)
    if (stored[i] != layout.sections[i].offset)
      reasons.push_back(fmt::format("section {}: starts at byte {} instead of {}", name_of(static_cast<SectionId>(i + 1)), stored[i],
                                    layout.sections[i].offset));
  if (end != file.size()) return reasons.push_back(fmt::format("its sections end at byte {}, the file at {}", end, file.size()));
  size_t gap = kTableEnd;
  for (const Section& section : layout.sections) {
    if (!all_zero(file.subspan(gap, section.offset - gap))) reasons.push_back(fmt::format("padding at byte {} is not zero", gap));
    gap = section.offset + section.size;
  }
}

}  // namespace

std::string_view name_of(SectionId id) {
  constexpr std::string_view kNames[] = {"meta", "buffers", "weights", "steps", "source", "data"};
  return kNames[static_cast<size_t>(id) - 1];
}

Hash128 head_hash(std::span<const std::byte> file) {
  Hasher128 hasher;
  hasher.update(file.first(kHashAt));
  hasher.update(file.subspan(kHeaderBytes, kTableEnd - kHeaderBytes));
  return hasher.digest();
}

uint64_t place(Layout& layout) {
  uint64_t end = kTableEnd;
  for (Section& section : layout.sections) {
    section.offset = round_up(end, kAlign);
    end = section.offset + section.size;
  }
  return end;
}

std::vector<std::byte> encode(const Layout& layout) {
  std::vector<std::byte> head(layout.sections[0].offset);
  std::memcpy(head.data(), kMagic.data(), kMagic.size());
  store(head, kVersionAt, kFormatVersion);
  store(head, kCountAt, static_cast<uint32_t>(kSectionCount));
  store(head, kSizeAt, layout.sections.back().offset + layout.sections.back().size);
  std::memcpy(head.data() + kCreatorAt, layout.creator.data(), std::min(layout.creator.size(), kCreatorBytes));
  for (size_t i = 0; i < kSectionCount; ++i) {
    const Section& section = layout.sections[i];
    const size_t at = kHeaderBytes + i * kEntryBytes;
    store(head, at, static_cast<uint32_t>(i + 1));
    store(head, at + 8, section.offset);
    store(head, at + 16, section.size);
    store(head, at + 24, section.hash.low);
    store(head, at + 32, section.hash.high);
  }
  const Hash128 hash = head_hash(head);
  store(head, kHashAt, hash.low);
  store(head, kHashAt + 8, hash.high);
  return head;
}

std::vector<std::string> check_layout(std::span<const std::byte> file, Layout& layout) {
  if (!looks_like_plan(file)) return {"it does not start with the magic `octetpln`: not an engine"};
  if (file.size() < kTableEnd) return {fmt::format("truncated: {} bytes, the header and section table take {}", file.size(), kTableEnd)};
  std::vector<std::string> reasons;
  if (!read_creator(file, layout.creator)) reasons.push_back("creator: bytes follow its end");
  const auto version = load<uint32_t>(file, kVersionAt);
  if (version != kFormatVersion)  // nothing further can be trusted to mean what it means here
    return {
        fmt::format("format version {}, made by `{}`; this octet reads version {}", version, printable(layout.creator), kFormatVersion)};
  if (const auto count = load<uint32_t>(file, kCountAt); count != kSectionCount)
    reasons.push_back(fmt::format("{} sections instead of {}", count, kSectionCount));
  if (const auto size = load<uint64_t>(file, kSizeAt); size != file.size())
    reasons.push_back(fmt::format("{}: {} bytes, the header says {}", size > file.size() ? "truncated" : "grown", file.size(), size));
  if (head_hash(file) != Hash128{load<uint64_t>(file, kHashAt), load<uint64_t>(file, kHashAt + 8)})
    reasons.push_back("header and section table do not match their hash: damaged");
  check_table(file, layout, reasons);
  return reasons;
}

bool looks_like_plan(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

}  // namespace octet::plan
