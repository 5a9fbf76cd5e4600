// webdataset tars: ustar, pax and GNU long names (POSIX.1-2017 pax, "ustar Interchange Format"). Regular files only.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "formats/blob.h"

namespace octet {

struct TarEntry {
  std::string name;                  // as written: for showing and keys, never a path to open
  std::span<const std::byte> bytes;  // a view of the mapping
};

// Walks a tar front to back. Directories, links and devices are passed over. Refused with Error{kInvalid}: a wrong header
// checksum, a size beyond the file, no end-of-archive block, data behind it. Sparse files are Error{kUnsupported}.
class TarReader {
 public:
  explicit TarReader(Blob file) : file_(std::move(file)), cursor_(file_.bytes, file_.where) {}
  explicit TarReader(const std::filesystem::path& path) : TarReader(map_blob(path)) {}
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;
  std::optional<TarEntry> next();  // nullopt: the end
  const std::shared_ptr<const void>& owner() const { return file_.owner; }
  const std::string& where() const { return file_.where; }

 private:
  void read_end();
  Blob file_;
  ByteCursor cursor_;
  bool ended_ = false;
};

// A webdataset sample: consecutive files whose names are equal up to the first dot of their last part. "d/000007.jpg" and
// "d/000007.cls" give key "d/000007", parts {"cls", "jpg"}.
struct TarSample {
  std::string key;
  std::map<std::string, std::span<const std::byte>, std::less<>> parts;
};

class TarSamples {
 public:
  explicit TarSamples(const std::filesystem::path& path) : reader_(path) {}
  explicit TarSamples(Blob file) : reader_(std::move(file)) {}
  std::optional<TarSample> next();  // Error{kInvalid} for two parts of one name in a sample
  const std::shared_ptr<const void>& owner() const { return reader_.owner(); }

 private:
  TarReader reader_;
  std::optional<TarEntry> ahead_;
};

}  // namespace octet
