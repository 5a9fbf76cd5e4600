// A strict zip reader for torch's .pth and numpy's .npz, and a writer of stored entries.
// Format: PKWARE APPNOTE 6.3 (local header 4.3.7, central directory 4.3.12, zip64 4.3.14, extra fields 4.5).
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/blob.h"

namespace octet {

struct ZipEntry {
  std::string name;
  bool deflated = false;  // else stored
  uint64_t size = 0;      // of the content
  uint32_t crc = 0;
  std::span<const std::byte> packed;  // as it lies in the file
};

// Refused with Error{kInvalid}: any archive whose central directory, zip64 records and local headers do not agree in every
// field; overlapping entries; duplicate names; absolute names, `..`, `\`, control bytes; encryption; several disks; bytes after
// the directory; more than 100,000 entries. Methods other than stored and deflate are Error{kUnsupported}.
class ZipReader {
 public:
  static ZipReader parse(Blob file);
  const std::vector<ZipEntry>& entries() const { return entries_; }  // in the order of the directory
  const ZipEntry* find(std::string_view name) const;                 // nullptr: absent
  // The content, CRC-32 verified. Stored: a view of the file. Deflated: a buffer of exactly `size` bytes, which must be
  // possible for that many packed bytes (deflate expands at most 1032 times) and at most 1 GiB.
  Blob read(const ZipEntry& entry) const;
  const std::string& where() const { return file_.where; }

 private:
  Blob file_;
  std::vector<ZipEntry> entries_;
  std::vector<size_t> by_name_;  // indices of entries_, sorted by name
};

// Writes an archive of stored entries whose contents start at multiples of 64 bytes, as torch does. At most 4 GiB.
class ZipWriter {
 public:
  explicit ZipWriter(std::filesystem::path path) : file_(std::move(path)) {}
  void add(std::string name, std::span<const std::byte> content);
  void add(std::string name, std::string_view content) { add(std::move(name), std::as_bytes(std::span(content))); }
  void commit();  // writes the directory; without it the file does not appear

 private:
  struct Written {
    std::string name;
    uint32_t crc, size, offset;
  };
  AtomicFile file_;
  std::vector<Written> written_;
};

}  // namespace octet
