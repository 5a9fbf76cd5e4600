#include "formats/fuzz.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return octet::fuzz_blob(data, size, [](const octet::Blob& blob) {
    const auto file = octet::Safetensors::parse(blob);
    for (const auto& name : file.names()) octet::fuzz_touch(file.at(name).bytes());
  });
}
