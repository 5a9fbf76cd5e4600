// libFuzzer: any bytes as a preprocessor_config.json.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "image/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    octet::ClipPreprocess::parse({reinterpret_cast<const char*>(data), size});
  } catch (const octet::Error& error) {
    if (error.code() == octet::Code::kInternal) throw;
  }
  return 0;
}
