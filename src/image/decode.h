// JPEG and PNG to RGB, with the pixels that Pillow's Image.open(...).convert("RGB") gives: orientation and colour profiles are
// ignored, alpha is dropped, CMYK is taken as Adobe writes it (inverted), 16-bit colour keeps its high byte and 16-bit grey is
// clipped at 255. A truncated file is refused where Pillow refuses it, and a PNG also when only its last checksums are missing.
// The bytes are hostile input. Next: resize.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "image/image.h"

namespace octet {

struct DecodeLimits {
  uint64_t max_bytes = 20'000'000;   // of the file
  uint64_t max_pixels = 50'000'000;  // width * height
  int max_side = 65'535;
};

// Throws Error: kInvalid for a damaged or truncated picture or one over a limit, kUnsupported for other formats and for the
// JPEG kinds libjpeg-turbo cannot decode. Memory: the picture, and for progressive JPEG 6 bytes a pixel more.
Image decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits = {});

}  // namespace octet
