#include "formats/fuzz.h"
#include "formats/torch_zip/torch_zip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return octet::fuzz_blob(data, size, [](const octet::Blob& blob) { octet::parse_torch_zip(blob); });
}
