#include "formats/fuzz.h"
#include "formats/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return octet::fuzz_blob(data, size, [](const octet::Blob& blob) { octet::fuzz_touch(octet::parse_npy(blob).bytes()); });
}
