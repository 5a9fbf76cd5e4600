// The writing half of zip.h.
#include <zlib.h>

#include "base/text.h"
#include "formats/zip/zip.h"
#include "formats/zip/zip_format.h"

namespace octet {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint16_t kVersion = 20;           // 2.0, what a plain archive needs
constexpr uint16_t kPaddingExtra = 0x4246;  // "FB": the field with which torch pads
constexpr uint32_t kEpoch = 0x00210000;     // 1980-01-01 00:00: the output does not depend on the clock

class Record {
 public:
  template <class T>
  Record& put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Record& text(std::string_view value) { return bytes_ += value, *this; }
  std::string_view view() const { return bytes_; }

 private:
  std::string bytes_;
};

// The fields that a local header and a directory entry share, from the flags to the sizes.
void put_common(Record& record, uint32_t crc, uint32_t size, size_t name) {
  record.put(kUtf8).put(kStored).put(kEpoch).put(crc).put(size).put(size).put(static_cast<uint16_t>(name));
}

uint32_t narrow(uint64_t value, std::string_view name) {
  if (value >= kFull32) fail(Code::kUnsupported, "zip entry `{}`: octet writes archives below 4 GiB", printable(name));
  return static_cast<uint32_t>(value);
}

}  // namespace

void ZipWriter::add(std::string name, std::span<const std::byte> content) {
  OCTET_CHECK(name.size() < kFull16 && written_.size() < kFull16 - 1, name.size(), written_.size());
  const uint32_t offset = narrow(file_.written(), name), size = narrow(content.size(), name);
  const auto crc = static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()));
  const uint64_t begin = offset + kLocalSize + name.size() + 4;  // 4: head of the padding field
  const auto padding = static_cast<uint16_t>((kAlignment - begin % kAlignment) % kAlignment);
  Record local;
  local.put(kLocalSignature).put(kVersion);
  put_common(local, crc, size, name.size());
  local.put(static_cast<uint16_t>(padding + 4)).text(name).put(kPaddingExtra).put(padding).text(std::string(padding, 'Z'));
  file_.write(local.view());
  file_.write(content);
  written_.push_back({std::move(name), crc, size, offset});
}

void ZipWriter::commit() {
  const uint32_t offset = narrow(file_.written(), "directory");
  for (const auto& entry : written_) {
    Record central;
    central.put(kCentralSignature).put(kVersion).put(kVersion);
    put_common(central, entry.crc, entry.size, entry.name.size());
    central.put(uint16_t{0}).put(uint16_t{0}).put(uint16_t{0}).put(uint16_t{0}).put(uint32_t{0}).put(entry.offset).text(entry.name);
    file_.write(central.view());
  }
  const auto count = static_cast<uint16_t>(written_.size());
  const uint32_t size = narrow(file_.written() - offset, "directory");
  Record end;
  end.put(kEndSignature).put(uint32_t{0}).put(count).put(count).put(size).put(offset).put(uint16_t{0});
  file_.write(end.view());
  file_.commit();
}

}  // namespace octet
