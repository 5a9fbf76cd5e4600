#include "formats/fuzz.h"
#include "formats/tar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return octet::fuzz_blob(data, size, [](const octet::Blob& blob) {
    octet::TarSamples samples(blob);
    while (const auto sample = samples.next())
      for (const auto& [part, bytes] : sample->parts) octet::fuzz_touch(bytes);
  });
}
