// Antialiased resampling with the very pixels of Pillow's Image.resize for 8-bit pictures: two passes, each with
// weights rounded to 22 fractional bits and its sums rounded to 8 bits. The width comes first, save where Pillow 13 (not
// older ones) begins with the height: when that shrinks by more than twice as many pixels. Next: preprocess.h.
#pragma once
#include <cstdint>

#include "image/image.h"

namespace octet {

enum class Filter : int { kBilinear = 2, kBicubic = 3 };  // Pillow's numbers; bicubic is Keys' with a = -1/2

// A part of a picture: width x height pixels from column x, row y.
struct Window {
  int64_t x = 0, y = 0;
  int width = 0, height = 0;
};

// The pixels of `window` of the picture that `image` gives when scaled to width x height; the rest of it is not computed.
// Needs 1 <= width, height < 2^40 and a window that lies within. Throws Error{kInvalid} for an empty image.
Image resize(const Image& image, int64_t width, int64_t height, Filter filter, const Window& window);
Image resize(const Image& image, int width, int height, Filter filter);

}  // namespace octet
