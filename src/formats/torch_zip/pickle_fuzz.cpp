// The pickle alone: inside an archive the CRC would stop nearly every mutation. What is read is also written and read again.
#include <cstdlib>

#include "formats/fuzz.h"
#include "formats/torch_zip/pickle.h"

namespace {

octet::Blob storage(const std::string& key) {
  static constexpr std::byte kBytes[16] = {};
  if (key != "0") octet::fail(octet::Code::kInvalid, "no storage");
  return {kBytes, nullptr, "storage"};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return octet::fuzz_blob(data, size, [](const octet::Blob& blob) {
    const auto value = octet::read_pickle(blob, storage);
    std::vector<octet::HostTensor> tensors, again;
    const std::string pickle = octet::write_pickle(value, tensors);
    if (!tensors.empty()) return;  // their storages are others now
    const octet::Blob written{std::as_bytes(std::span(pickle)), nullptr, "written"};
    if (octet::write_pickle(octet::read_pickle(written, storage), again) != pickle) std::abort();
  });
}
