// libFuzzer: any bytes as a picture, then through CLIP's preprocessing. Seeds: the files of tests/golden/pictures.json.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "image/decode.h"
#include "image/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  static const ClipPreprocess clip = ClipPreprocess::parse(R"({"size": 24, "crop_size": {"height": 24, "width": 28}})");
  try {
    clip.pixels(decode_image(std::as_bytes(std::span(data, size)), {.max_pixels = 1'000'000}));
  } catch (const Error& error) {
    if (error.code() == Code::kInternal) throw;
  }
  return 0;
}
