// CLIP's picture preprocessing, equal to HF transformers' CLIPImageProcessor on Pillow: resize the shortest edge, crop the
// centre (black where the picture is too small), scale to [0, 1], normalise each channel. Next: resize.h.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "image/image.h"
#include "image/resize.h"

namespace octet {

struct ClipPreprocess {
  int width = 224, height = 224;  // of the result

  // First the picture is resized: its shortest edge to `shortest_edge` (the other truncated to a whole number), or, when that
  // is 0, to resize_width x resize_height, or, when those are 0 too, not at all. Then the centre is cut out.
  int shortest_edge = 224, resize_width = 0, resize_height = 0;
  Filter filter = Filter::kBicubic;
  std::array<std::array<float, 256>, 3> values{};     // [channel][pixel]: the result for a pixel
  std::array<std::array<uint16_t, 256>, 3> halves{};  // the same in f16, rounded to nearest even

  // What the tables were made of: value = (pixel * scale - mean) / std.
  double scale = 1;
  std::array<double, 3> mean{}, std{1, 1, 1};

  // From preprocessor_config.json, or "image_processor" of processor_config.json. Throws Error: kIo without either, kInvalid
  // for a malformed one, kUnsupported where the result would have no fixed size or the filter is another.
  static ClipPreprocess load(const std::filesystem::path& directory);
  static ClipPreprocess parse(std::string_view json);  // the text of a preprocessor_config.json

  // value = (f32(pixel * scale) - mean) / std, in f32, for the tables. Without normalisation: mean 0, std 1.
  void set_values(double to_unit, const std::array<double, 3>& means, const std::array<double, 3>& deviations);

  Image pixels(const Image& image) const;                     // resized and cropped: width x height
  void run(const Image& image, float* out_chw) const;         // [3, height, width]
  void run_f16(const Image& image, uint16_t* out_chw) const;  // the same, in f16
};

}  // namespace octet
