#include "image/preprocess.h"

#include <algorithm>

#include "base/error.h"
#include "numeric/convert.h"

namespace octet {
namespace {

// floor(a / 2), also below zero.
int64_t half(int64_t a) { return a >= 0 ? a / 2 : -((-a + 1) / 2); }

struct Size {
  int64_t width, height;
};

// The size of the whole picture after the resize.
Size resized_size(const ClipPreprocess& p, const Image& image) {
  if (p.shortest_edge == 0) return p.resize_width ? Size{p.resize_width, p.resize_height} : Size{image.width, image.height};
  const bool portrait = image.width <= image.height;
  const double shorter = portrait ? image.width : image.height, longer = portrait ? image.height : image.width;
  const auto other = static_cast<int64_t>(p.shortest_edge * longer / shorter);  // both products are exact below 2^53
  return portrait ? Size{p.shortest_edge, other} : Size{other, p.shortest_edge};
}

template <class T>
void look_up(const Image& pixels, const std::array<std::array<T, 256>, 3>& table, T* out) {
  const size_t plane = static_cast<size_t>(pixels.width) * static_cast<size_t>(pixels.height);
  for (size_t i = 0; i < plane; ++i)
    for (size_t c = 0; c < 3; ++c) out[c * plane + i] = table[c][pixels.rgb[i * 3 + c]];
}

}  // namespace

void ClipPreprocess::set_values(double to_unit, const std::array<double, 3>& means, const std::array<double, 3>& deviations) {
  scale = to_unit, mean = means, std = deviations;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t pixel = 0; pixel < 256; ++pixel) {
      const auto scaled = static_cast<float>(static_cast<double>(pixel) * scale);
      values[c][pixel] = (scaled - static_cast<float>(mean[c])) / static_cast<float>(std[c]);
      halves[c][pixel] = encode_f16(values[c][pixel]);
    }
  }
}

Image ClipPreprocess::pixels(const Image& image) const {
  if (image.width <= 0 || image.height <= 0)
    fail(Code::kInvalid, "cannot preprocess a picture of {} x {} pixels", image.width, image.height);
  const Size whole = resized_size(*this, image);
  const int64_t left = half(whole.width - width), top = half(whole.height - height);  // negative: black borders
  const Window inside{std::max<int64_t>(left, 0), std::max<int64_t>(top, 0), static_cast<int>(std::min<int64_t>(width, whole.width)),
                      static_cast<int>(std::min<int64_t>(height, whole.height))};
  Image cut = resize(image, whole.width, whole.height, filter, inside);
  if (inside.width == width && inside.height == height) return cut;
  Image out{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
  const auto x = static_cast<size_t>(inside.x - left), y = static_cast<size_t>(inside.y - top), row = static_cast<size_t>(inside.width) * 3;
  for (size_t i = 0; i < static_cast<size_t>(inside.height); ++i)
    std::copy_n(&cut.rgb[i * row], row, &out.rgb[((y + i) * static_cast<size_t>(width) + x) * 3]);
  return out;
}

void ClipPreprocess::run(const Image& image, float* out_chw) const { look_up(pixels(image), values, out_chw); }

void ClipPreprocess::run_f16(const Image& image, uint16_t* out_chw) const { look_up(pixels(image), halves, out_chw); }

}  // namespace octet
