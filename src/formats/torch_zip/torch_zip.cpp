#include "formats/torch_zip/torch_zip.h"

#include <algorithm>
#include <map>

#include "base/hash.h"
#include "base/text.h"
#include "formats/torch_zip/pickle.h"
#include "formats/zip/zip.h"

namespace octet {
namespace {

// The directory that every entry lies in.
std::string root_of(const ZipReader& zip) {
  for (const auto& entry : zip.entries()) {
    if (entry.deflated) fail(Code::kInvalid, "{}: entry `{}` is compressed; torch.save only stores", zip.where(), printable(entry.name));
    if (entry.name.find('/') == entry.name.npos)
      fail(Code::kInvalid, "{}: entry `{}` is in no directory", zip.where(), printable(entry.name));
  }
  if (zip.entries().empty()) fail(Code::kInvalid, "{}: an empty zip", zip.where());
  const std::string& first = zip.entries()[0].name;
  const std::string root = first.substr(0, first.find('/') + 1);
  for (const auto& entry : zip.entries())
    if (!entry.name.starts_with(root))
      fail(Code::kInvalid, "{}: entries in two directories, `{}` and `{}`", zip.where(), printable(first), printable(entry.name));
  return root;
}

void check_byte_order(const ZipReader& zip, const std::string& root) {
  const auto* entry = zip.find(root + "byteorder");
  if (entry != nullptr && zip.read(*entry).text() != "little") fail(Code::kUnsupported, "{}: saved on a big-endian machine", zip.where());
}

}  // namespace

PickleValue parse_torch_zip(const Blob& file) {
  if (!file.text().starts_with("PK"))
    throw Error(Code::kUnsupported, fmt::format("{}: not a zip, so not written by torch.save of torch >= 1.6", file.where),
                "load it in torch and save it again");
  const ZipReader zip = ZipReader::parse(file);
  const std::string root = root_of(zip);
  const auto* pickle = zip.find(root + "data.pkl");
  if (pickle == nullptr) fail(Code::kInvalid, "{}: no entry `{}data.pkl`: not a torch file", file.where, printable(root));
  check_byte_order(zip, root);
  std::map<std::string, Blob> storages;  // each is verified once, however many tensors share it
  return read_pickle(zip.read(*pickle), [&](const std::string& key) {
    if (const auto known = storages.find(key); known != storages.end()) return known->second;
    const auto* entry = zip.find(root + "data/" + key);
    if (entry == nullptr) fail(Code::kInvalid, "{}: no entry for storage `{}`", file.where, printable(key));
    return storages.emplace(key, zip.read(*entry)).first->second;
  });
}

PickleValue read_torch_zip(const std::filesystem::path& path) { return parse_torch_zip(map_blob(path)); }

void write_torch_zip(const std::filesystem::path& path, const PickleValue& value) {
  std::vector<HostTensor> storages;
  const std::string pickle = write_pickle(value, storages), root = path.stem().string() + "/";
  ZipWriter zip(path);
  zip.add(root + "data.pkl", pickle);
  zip.add(root + ".format_version", "1");
  zip.add(root + ".storage_alignment", "64");
  zip.add(root + "byteorder", "little");
  for (size_t i = 0; i < storages.size(); ++i) zip.add(root + "data/" + std::to_string(i), storages[i].bytes());
  zip.add(root + "version", "3\n");
  // torch wants 40 digits that depend on the content.
  const Hash128 hash = xxh3_128(std::as_bytes(std::span(pickle)));
  zip.add(root + ".data/serialization_id", fmt::format("{:020}{:020}", hash.high, hash.low));
  zip.commit();
}

}  // namespace octet
