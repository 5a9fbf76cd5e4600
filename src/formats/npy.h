// numpy's .npy (format 1.0, 2.0, 3.0: numpy.lib.format) and .npz (a zip of them, stored or deflated).
// f16 f32 f64 i8 u8 i32 i64 bool. Other element types, big-endian and Fortran order are Error{kUnsupported}; a damaged or
// truncated file, or one with bytes after the data, is Error{kInvalid}.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "formats/blob.h"
#include "formats/zip/zip.h"
#include "numeric/host_tensor.h"

namespace octet {

HostTensor read_npy(const std::filesystem::path& path);  // a view of the mapping
HostTensor parse_npy(const Blob& file);
// Atomic. A dtype that numpy lacks (bf16, e4m3, e5m2, e8m0) is Error{kUnsupported}: convert it first.
void write_npy(const std::filesystem::path& path, const HostTensor& tensor);
// The bytes before the data in a .npy file of that dtype and shape (a multiple of 64), for writers that stream rows.
std::string npy_header(DType dtype, std::span<const int64_t> dims);

class Npz {
 public:
  static Npz open(const std::filesystem::path& path) { return parse(map_blob(path)); }
  static Npz parse(Blob file);
  const std::vector<std::string>& names() const { return names_; }  // without ".npy", in the order of the archive
  bool has(std::string_view name) const;
  HostTensor at(std::string_view name) const;  // decompresses at each call; Error{kInvalid} naming the nearest existing name

 private:
  ZipReader zip_;
  std::vector<std::string> names_;
};

}  // namespace octet
