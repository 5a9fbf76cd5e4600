#include "formats/fuzz.h"
#include "formats/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return octet::fuzz_blob(data, size, [](const octet::Blob& blob) { octet::parse_json(blob.text(), blob.where); });
}
