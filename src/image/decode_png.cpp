// PNG through libpng. Ancillary chunks are skipped unread: none of them changes the pixels that Pillow gives.
#include <png.h>

#include <algorithm>
#include <cstring>

#include "image/decode_formats.h"

namespace octet::image {
namespace {

// Chunks libpng would otherwise unpack (profiles and texts may be compressed bombs). tRNS stays: it is cheap and dropped later.
constexpr png_byte kSkipped[] = "iCCP\0zTXt\0iTXt\0tEXt\0sPLT\0hIST\0bKGD\0eXIf\0gAMA\0cHRM\0sRGB\0sBIT\0pHYs\0tIME\0oFFs\0pCAL\0sCAL";
constexpr int kSkippedCount = sizeof kSkipped / 5;

class PngReader {
 public:
  explicit PngReader(std::span<const std::byte> bytes) : rest_(bytes) {
    const auto on_error = [](png_structp png, png_const_charp message) {
      static_cast<PngReader*>(png_get_error_ptr(png))->jump_.escape(Code::kInvalid, message);
    };
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, [](png_structp, png_const_charp) {});
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      fail(Code::kInternal, "libpng could not start");
    }
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  Image read(const DecodeLimits& limits) {
    jump_.run([&] { read_header(limits); });
    Image image = sized_image(png_get_image_width(png_, info_), png_get_image_height(png_, info_), limits);
    const size_t row_bytes = png_get_rowbytes(png_, info_), width = static_cast<size_t>(image.width);
    OCTET_CHECK(row_bytes == width * (grey16_ ? 2 : 3), row_bytes, width);
    std::vector<uint8_t> grey(grey16_ ? row_bytes * static_cast<size_t>(image.height) : 0);
    std::vector<png_bytep> rows(static_cast<size_t>(image.height));
    for (size_t y = 0; y < rows.size(); ++y) rows[y] = (grey16_ ? grey.data() : image.rgb.data()) + y * row_bytes;
    jump_.run([&] { png_read_image(png_, rows.data()); });
    for (size_t i = 0; i < grey.size() / 2; ++i) std::memset(&image.rgb[i * 3], grey[2 * i] ? 255 : grey[2 * i + 1], 3);
    return image;
  }

 private:
  static void read_bytes(png_structp png, png_bytep to, size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->rest_.size()) self->jump_.escape(Code::kInvalid, "the picture is truncated");
    std::memcpy(to, self->rest_.data(), count);
    self->rest_ = self->rest_.subspan(count);
  }

  // Reads up to the pixels and asks for RGB rows of 8 bits; of 16-bit grey, for what is in the file.
  void read_header(const DecodeLimits& limits) {
    png_set_read_fn(png_, this, read_bytes);
    png_set_user_limits(png_, static_cast<png_uint_32>(limits.max_side), static_cast<png_uint_32>(limits.max_side));
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kSkipped, kSkippedCount);
    png_read_info(png_, info_);
    const int type = png_get_color_type(png_, info_), depth = png_get_bit_depth(png_, info_);
    grey16_ = type == PNG_COLOR_TYPE_GRAY && depth == 16;
    if (!grey16_) {
      if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
      if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png_);
      if (!(type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png_);
      png_set_strip_16(png_);
      png_set_strip_alpha(png_);
    }
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::span<const std::byte> rest_;
  bool grey16_ = false;
  LongJump jump_;
};

}  // namespace

Image decode_png(std::span<const std::byte> bytes, const DecodeLimits& limits) { return PngReader(bytes).read(limits); }

}  // namespace octet::image
