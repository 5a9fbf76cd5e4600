// The zip reader, with inflate, and npy inside it.
#include "formats/fuzz.h"
#include "formats/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return octet::fuzz_blob(data, size, [](const octet::Blob& blob) {
    const auto zip = octet::ZipReader::parse(blob);
    for (const auto& entry : zip.entries()) {
      try {
        octet::fuzz_touch(octet::parse_npy(zip.read(entry)).bytes());
      } catch (const octet::Error&) {  // go on with the next entry
      }
    }
  });
}
