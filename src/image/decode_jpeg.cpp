// JPEG through libjpeg-turbo's plain interface: accurate integer DCT and smooth chroma upsampling, its defaults and Pillow's.
#include <cstdio>
// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>

#include "image/decode_formats.h"

namespace octet::image {
namespace {

// Every scan of a progressive file walks the whole picture for a few bytes; encoders write about ten.
constexpr int kMaxScans = 64;

class JpegReader {
 public:
  explicit JpegReader(std::span<const std::byte> bytes) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = &jump_;
    errors_.error_exit = [](j_common_ptr info) { escape(info); };
    errors_.output_message = [](j_common_ptr) {};
    errors_.emit_message = [](j_common_ptr info, int) {
      // Other warnings mean damaged pixels, which Pillow shows too; the end of the bytes means that there are none.
      if (info->err->msg_code == JWRN_JPEG_EOF) jump_of(info).escape(Code::kInvalid, "the picture is truncated");
    };
    progress_.progress_monitor = [](j_common_ptr info) {
      if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans)
        jump_of(info).escape(Code::kInvalid, "a progressive picture of more than 64 scans");
    };
    jump_.run([&] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_;
      jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    });
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }  // never fails, even after an error in the constructor's calls
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Image read(const DecodeLimits& limits) {
    jump_.run([&] { jpeg_read_header(&info_, TRUE); });
    if (info_.num_components == 2) fail(Code::kUnsupported, "a JPEG of 2 components");
    Image image = sized_image(info_.image_width, info_.image_height, limits);
    const bool cmyk = info_.num_components == 4;
    std::vector<uint8_t> row(cmyk ? size_t{info_.image_width} * 4 : 0);
    info_.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jump_.run([&] {
      jpeg_start_decompress(&info_);
      for (uint8_t* out = image.rgb.data(); info_.output_scanline < info_.output_height; out += size_t{info_.image_width} * 3) {
        JSAMPROW target = cmyk ? row.data() : out;
        jpeg_read_scanlines(&info_, &target, 1);
        if (cmyk) convert_cmyk(row.data(), out);
      }
      jpeg_finish_decompress(&info_);
    });
    return image;
  }

 private:
  static LongJump& jump_of(j_common_ptr info) { return *static_cast<LongJump*>(info->client_data); }
  [[noreturn]] static void escape(j_common_ptr info) {
    char message[JMSG_LENGTH_MAX];
    info->err->format_message(info, message);
    const int kind = info->err->msg_code;
    const bool unsupported = kind == JERR_SOF_UNSUPPORTED || kind == JERR_BAD_PRECISION || kind == JERR_ARITH_NOTIMPL ||
                             kind == JERR_CONVERSION_NOTIMPL || kind == JERR_FRACT_SAMPLE_NOTIMPL || kind == JERR_CCIR601_NOTIMPL;
    jump_of(info).escape(unsupported ? Code::kUnsupported : Code::kInvalid, message);
  }
  // Stored inverted, as Adobe does: a sample s is the ink 255 - s. rgb = k - ink * k / 255, rounded to nearest, in integers.
  void convert_cmyk(const uint8_t* cmyk, uint8_t* rgb) const {
    for (JDIMENSION x = 0; x < info_.image_width; ++x, cmyk += 4, rgb += 3) {
      const int black = cmyk[3];
      for (int c = 0; c < 3; ++c) {
        const int product = (255 - cmyk[c]) * black + 128;
        rgb[c] = static_cast<uint8_t>(std::clamp(black - ((product + (product >> 8)) >> 8), 0, 255));
      }
    }
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  LongJump jump_;
};

}  // namespace

Image decode_jpeg(std::span<const std::byte> bytes, const DecodeLimits& limits) { return JpegReader(bytes).read(limits); }

}  // namespace octet::image
