#include "image/decode.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "image/decode_formats.h"

namespace octet {
namespace image {

Image sized_image(uint64_t width, uint64_t height, const DecodeLimits& limits) {
  const auto side = static_cast<uint64_t>(limits.max_side);
  if (width == 0 || height == 0) fail(Code::kInvalid, "a picture of {} x {} pixels", width, height);
  if (width > side || height > side || width * height > limits.max_pixels) {  // sides are below 2^31: no overflow
    fail(Code::kInvalid, "a picture of {} x {} pixels is over the limit of {} pixels (or {} a side)", width, height, limits.max_pixels,
         limits.max_side);
  }
  return {static_cast<int>(width), static_cast<int>(height), std::vector<uint8_t>(width * height * 3)};
}

}  // namespace image

Image decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 16));
  if (bytes.size() > limits.max_bytes) {
    fail(Code::kInvalid, "a picture file of {} is over the limit of {}", human_bytes(bytes.size()), human_bytes(limits.max_bytes));
  }
  if (head.starts_with("\xff\xd8\xff")) {
    return with_context([] { return "decoding a JPEG picture"; }, [&] { return image::decode_jpeg(bytes, limits); });
  }
  if (head.starts_with("\x89PNG\r\n\x1a\n")) {
    return with_context([] { return "decoding a PNG picture"; }, [&] { return image::decode_png(bytes, limits); });
  }
  const std::pair<std::string_view, const char*> others[] = {
      {"GIF8", "GIF"}, {"BM", "BMP"}, {"II*", "TIFF"}, {"MM\0*", "TIFF"}, {"RIFF", "WebP"}};
  for (const auto& [magic, name] : others)
    if (head.starts_with(magic)) throw Error(Code::kUnsupported, fmt::format("a {} picture", name), "convert it to JPEG or PNG");
  throw Error(Code::kInvalid, fmt::format("not a picture: begins with `{}`", printable(head)), "give JPEG or PNG");
}

}  // namespace octet
