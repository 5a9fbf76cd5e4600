#include "formats/zip/zip.h"

#include <zlib.h>

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "formats/zip/zip_format.h"

namespace octet {
namespace {

constexpr size_t kMaxEntries = 100'000;

struct Directory {
  uint64_t entries, size, offset;
};

[[noreturn]] void damaged(std::string_view where, std::string_view reason) {
  fail(Code::kInvalid, "{}: not a zip that octet reads: {}", where, reason);
}

// A field of the 32-bit record must say the same as the 64-bit one, or "see there".
void check_equal(std::string_view where, uint64_t narrow, uint64_t full, uint64_t wide) {
  if (narrow != full && narrow != wide) damaged(where, "the zip64 end record contradicts the end record");
}

Directory read_end64(const Blob& file, uint64_t locator_at) {
  ByteCursor locator(file.bytes.subspan(locator_at, kLocatorSize), file.where);
  locator.number<uint32_t>();
  const auto disk = locator.number<uint32_t>();
  const auto at = locator.number<uint64_t>();
  if (disk != 0 || locator.number<uint32_t>() != 1) damaged(file.where, "it spans several disks");
  if (locator_at < kEnd64Size || at != locator_at - kEnd64Size) damaged(file.where, "the zip64 end record is not where its locator lies");
  ByteCursor record(file.bytes.subspan(at, kEnd64Size), file.where);
  if (record.number<uint32_t>() != kEnd64Signature || record.number<uint64_t>() != kEnd64Size - 12)
    damaged(file.where, "the zip64 end record is damaged");
  record.take(4);  // versions
  if (record.number<uint64_t>() != 0) damaged(file.where, "it spans several disks");
  const auto here = record.number<uint64_t>();
  Directory directory{};
  directory.entries = record.number<uint64_t>();
  directory.size = record.number<uint64_t>();
  directory.offset = record.number<uint64_t>();
  if (here != directory.entries) damaged(file.where, "it spans several disks");
  if (directory.offset > at || directory.size != at - directory.offset) damaged(file.where, "the directory does not end at the end record");
  return directory;
}

// The end record must be the last 22 bytes: an archive comment would make its place ambiguous.
Directory read_end(const Blob& file) {
  if (file.bytes.size() < kEndSize) damaged(file.where, "it is too short");
  const uint64_t at = file.bytes.size() - kEndSize;
  ByteCursor record(file.bytes.subspan(at), file.where);
  if (record.number<uint32_t>() != kEndSignature)
    damaged(file.where, "it does not end with an end record (truncated, or bytes were appended)");
  if (record.number<uint32_t>() != 0) damaged(file.where, "it spans several disks");
  const auto here = record.number<uint16_t>(), entries = record.number<uint16_t>();
  const auto size = record.number<uint32_t>(), offset = record.number<uint32_t>();
  if (here != entries) damaged(file.where, "it spans several disks");
  if (record.number<uint16_t>() != 0) damaged(file.where, "it has an archive comment");
  uint32_t before = 0;
  if (at >= kLocatorSize) std::memcpy(&before, file.bytes.data() + at - kLocatorSize, sizeof before);
  if (before == kLocatorSignature) {
    const Directory wide = read_end64(file, at - kLocatorSize);
    check_equal(file.where, entries, kFull16, wide.entries);
    check_equal(file.where, size, kFull32, wide.size);
    check_equal(file.where, offset, kFull32, wide.offset);
    return wide;
  }
  if (offset > at || size != at - offset) damaged(file.where, "the directory does not end at the end record");
  return {entries, size, offset};
}

// Replaces the fields that say "see zip64" by the numbers of the zip64 extra field, in order.
void widen(std::span<const std::byte> extra, std::string_view where, std::initializer_list<uint64_t*> fields) {
  ByteCursor cursor(extra, where);
  bool seen = false;
  while (cursor.left() > 0) {
    const auto id = cursor.number<uint16_t>();
    const auto length = cursor.number<uint16_t>();
    const auto body = cursor.take(length);
    if (id != kZip64Extra) continue;
    if (seen) damaged(where, "two zip64 fields in one header");
    seen = true;
    ByteCursor numbers(body, where);
    for (uint64_t* field : fields)
      if (*field == kFull32) *field = numbers.number<uint64_t>();
  }
}

void check_name(std::string_view name, std::string_view where) {
  const auto bad = [&](const char* why) { fail(Code::kInvalid, "{}: entry `{}` has {}", where, printable(name), why); };
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') bad("a control byte or backslash in its name");
  for (const auto& part : split(name, '/'))
    if (part.empty() || part == "." || part == "..") bad("a name that is not a plain relative path");
}

// One entry of the directory, with what its local header must repeat.
struct Central {
  ZipEntry entry;
  uint16_t flags, method;
  uint64_t packed_size, offset;
};

Central read_central(ByteCursor& cursor, std::string_view where) {
  if (cursor.number<uint32_t>() != kCentralSignature) damaged(where, "the directory is damaged");
  cursor.take(4);  // versions
  Central c{};
  c.flags = cursor.number<uint16_t>();
  c.method = cursor.number<uint16_t>();
  cursor.take(4);  // time and date
  c.entry.crc = cursor.number<uint32_t>();
  c.packed_size = cursor.number<uint32_t>();
  c.entry.size = cursor.number<uint32_t>();
  const auto name = cursor.number<uint16_t>(), extra = cursor.number<uint16_t>(), comment = cursor.number<uint16_t>();
  if (cursor.number<uint16_t>() != 0) damaged(where, "it spans several disks");
  cursor.take(6);  // attributes
  c.offset = cursor.number<uint32_t>();
  c.entry.name = cursor.text(name);
  check_name(c.entry.name, where);
  widen(cursor.take(extra), where, {&c.entry.size, &c.packed_size, &c.offset});
  cursor.take(comment);
  if ((c.flags & ~(kDeflateOptions | kHasDescriptor | kUtf8)) != 0)
    fail(Code::kInvalid, "{}: entry `{}` is encrypted or patched (flags {:#x})", where, printable(c.entry.name), c.flags);
  if (c.method != kStored && c.method != kDeflated)
    fail(Code::kUnsupported, "{}: entry `{}` uses compression method {}; octet reads stored and deflate", where, printable(c.entry.name),
         c.method);
  c.entry.deflated = c.method == kDeflated;
  if (!c.entry.deflated && c.packed_size != c.entry.size) damaged(where, "a stored entry has two different sizes");
  return c;
}

// Checks the local header against the directory and finds the content. Returns where the content ends.
uint64_t read_local(const Blob& file, uint64_t directory_offset, Central& c) {
  const auto differs = [&](const char* what) {
    fail(Code::kInvalid, "{}: entry `{}`: the local header has another {} than the directory", file.where, printable(c.entry.name), what);
  };
  if (c.offset > directory_offset) damaged(file.where, "an entry lies behind the directory");
  ByteCursor cursor(file.bytes.subspan(c.offset, directory_offset - c.offset), file.where);
  if (cursor.number<uint32_t>() != kLocalSignature) damaged(file.where, "an entry has no local header");
  cursor.take(2);  // version
  if (cursor.number<uint16_t>() != c.flags) differs("set of flags");
  if (cursor.number<uint16_t>() != c.method) differs("method");
  cursor.take(4);  // time and date
  const auto crc = cursor.number<uint32_t>();
  uint64_t packed_size = cursor.number<uint32_t>(), size = cursor.number<uint32_t>();
  const auto name = cursor.number<uint16_t>(), extra = cursor.number<uint16_t>();
  if (cursor.text(name) != c.entry.name) differs("name");
  widen(cursor.take(extra), file.where, {&size, &packed_size});
  // With a descriptor the three numbers follow the content, and are zero here.
  const bool later = (c.flags & kHasDescriptor) != 0;
  if (crc != c.entry.crc && !(later && crc == 0)) differs("CRC");
  if (size != c.entry.size && !(later && size == 0)) differs("size");
  if (packed_size != c.packed_size && !(later && packed_size == 0)) differs("packed size");
  c.entry.packed = cursor.take(c.packed_size);
  return c.offset + cursor.offset();
}

void check_overlap(std::vector<std::pair<uint64_t, uint64_t>>& ranges, std::string_view where) {
  std::ranges::sort(ranges);
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first < ranges[i - 1].second) damaged(where, "two entries overlap");
}

// `size` bytes from a raw deflate stream that must use all of `packed` and give exactly that many.
std::shared_ptr<const std::byte[]> inflate_all(std::span<const std::byte> packed, size_t size, const std::string& what) {
  std::shared_ptr<std::byte[]> out(new std::byte[std::max<size_t>(size, 1)]);
  z_stream stream{};
  OCTET_CHECK(inflateInit2(&stream, -MAX_WBITS) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.get());
  stream.avail_out = static_cast<uInt>(size);
  const int result = inflate(&stream, Z_FINISH);
  const bool complete = result == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
  inflateEnd(&stream);
  if (!complete) fail(Code::kInvalid, "{}: the compressed data is damaged or not of the size that the directory says", what);
  return out;
}

}  // namespace

ZipReader ZipReader::parse(Blob file) {
  const Directory directory = read_end(file);
  if (directory.entries > kMaxEntries) fail(Code::kInvalid, "{}: {} zip entries, more than {}", file.where, directory.entries, kMaxEntries);
  ByteCursor cursor(file.bytes.subspan(directory.offset, directory.size), file.where);
  ZipReader out;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    Central central = read_central(cursor, file.where);
    const uint64_t end = read_local(file, directory.offset, central);
    ranges.emplace_back(central.offset, end);
    out.entries_.push_back(std::move(central.entry));
  }
  if (cursor.left() > 0) damaged(file.where, "the directory has more bytes than entries");
  check_overlap(ranges, file.where);
  out.by_name_.resize(out.entries_.size());
  std::iota(out.by_name_.begin(), out.by_name_.end(), size_t{0});
  const auto name = [&](size_t i) -> const std::string& { return out.entries_[i].name; };
  std::ranges::sort(out.by_name_, {}, name);
  if (const auto twice = std::ranges::adjacent_find(out.by_name_, {}, name); twice != out.by_name_.end())
    fail(Code::kInvalid, "{}: two zip entries are called `{}`", file.where, printable(name(*twice)));
  out.file_ = std::move(file);
  return out;
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto by_name = [&](size_t i) -> std::string_view { return entries_[i].name; };
  const auto found = std::ranges::lower_bound(by_name_, name, {}, by_name);
  return found != by_name_.end() && entries_[*found].name == name ? &entries_[*found] : nullptr;
}

Blob ZipReader::read(const ZipEntry& entry) const {
  constexpr uint64_t kMaxInflated = uint64_t{1} << 30, kMaxExpansion = 1032;
  Blob out{entry.packed, file_.owner, fmt::format("{}: entry `{}`", file_.where, printable(entry.name))};
  if (entry.deflated) {
    if (entry.size > kMaxInflated || entry.packed.size() > kMaxInflated)
      fail(Code::kInvalid, "{}: {} bytes, more than a compressed entry may have", out.where, entry.size);
    if (entry.size / kMaxExpansion > entry.packed.size())
      fail(Code::kInvalid, "{}: {} bytes cannot come from {} compressed ones", out.where, entry.size, entry.packed.size());
    auto buffer = inflate_all(entry.packed, entry.size, out.where);
    out.bytes = {buffer.get(), static_cast<size_t>(entry.size)};
    out.owner = std::move(buffer);
  }
  if (crc32_z(0, reinterpret_cast<const Bytef*>(out.bytes.data()), out.bytes.size()) != entry.crc)
    throw Error(Code::kInvalid, fmt::format("{}: its CRC-32 is wrong: the file is damaged", out.where), "copy or download it again");
  return out;
}

}  // namespace octet
