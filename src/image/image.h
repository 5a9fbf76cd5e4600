// A decoded picture. Next: decode.h, resize.h, preprocess.h.
#pragma once
#include <cstdint>
#include <vector>

namespace octet {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3], no padding
};

}  // namespace octet
