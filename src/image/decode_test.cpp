// Decoding: Pillow's pixels for every kind of file, and hostile files.
#include "image/decode.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string_view>

#include "image/golden_test.h"

namespace octet {
namespace {

Image decode(const std::vector<uint8_t>& bytes, const DecodeLimits& limits = {}) {
  return decode_image(std::as_bytes(std::span(bytes)), limits);
}

void put_u32(std::vector<uint8_t>& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

uint32_t crc32(std::span<const uint8_t> bytes) {  // of PNG (ISO 3309), bit by bit
  uint32_t crc = ~uint32_t{0};
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

std::vector<uint8_t> with_png_size(std::vector<uint8_t> png, uint32_t width, uint32_t height) {
  put_u32(png, 16, width);
  put_u32(png, 20, height);
  put_u32(png, 29, crc32(std::span(png).subspan(12, 17)));
  return png;
}

std::vector<uint8_t> with_jpeg_size(std::vector<uint8_t> jpeg, uint32_t width, uint32_t height) {
  for (size_t i = 0; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] != 0xff || (jpeg[i + 1] != 0xc0 && jpeg[i + 1] != 0xc2)) continue;
    const uint32_t both = height << 16 | width;
    put_u32(jpeg, i + 5, both);
    return jpeg;
  }
  fail(Code::kInternal, "no frame header");
}

const std::string kJpeg = "jpeg {'subsampling': '4:2:0'}", kProgressive = "jpeg {'subsampling': '4:2:2', 'progressive': True}",
                  kPng = "png rgb";

TEST(DecodeImage, EqualsPillow) {
  ASSERT_GE(golden()["files"].size(), 30u);
  for (const auto& item : golden()["files"]) {
    const Image expected = golden_image(item), actual = decode(from_hex(item["file"].get<std::string>()));
    EXPECT_EQ(actual.width, expected.width) << item["name"];
    EXPECT_EQ(actual.height, expected.height) << item["name"];
    EXPECT_EQ(actual.rgb, expected.rgb) << item["name"];
  }
}

TEST(DecodeImage, RefusesWhatIsNoPicture) {
  EXPECT_EQ(code_of([] { decode({}); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { decode({0xff}); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { decode({0xff, 0xd8, 0xff}); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { decode({'h', 'e', 'l', 'l', 'o'}); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { decode({'G', 'I', 'F', '8', '9', 'a'}); }), Code::kUnsupported);
  EXPECT_EQ(code_of([] { decode({'R', 'I', 'F', 'F', 0, 0, 0, 0, 'W', 'E', 'B', 'P'}); }), Code::kUnsupported);
}

TEST(DecodeImage, HoldsItsLimits) {
  const auto jpeg = golden_file(kJpeg), png = golden_file(kPng);  // 19 x 13 and 5 x 3
  EXPECT_EQ(code_of([&] { decode(jpeg, {.max_pixels = 19 * 13 - 1}); }), Code::kInvalid);
  EXPECT_EQ(decode(jpeg, {.max_pixels = 19 * 13}).width, 19);
  EXPECT_EQ(code_of([&] { decode(png, {.max_pixels = 14}); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { decode(png, {.max_side = 4}); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { decode(jpeg, {.max_side = 18}); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { decode(jpeg, {.max_bytes = jpeg.size() - 1}); }), Code::kInvalid);
}

// A header that promises gigapixels must be refused before anything of that size is allocated or decoded.
TEST(DecodeImage, RefusesBombs) {
  const auto start = std::chrono::steady_clock::now();
  const auto png = golden_file(kPng);
  for (const std::string& name : {kJpeg, kProgressive}) {
    EXPECT_EQ(code_of([&] { decode(with_jpeg_size(golden_file(name), 65500, 65500)); }), Code::kInvalid);
    EXPECT_EQ(code_of([&] { decode(with_jpeg_size(golden_file(name), 65535, 65535)); }), Code::kInvalid);
  }
  EXPECT_EQ(code_of([&] { decode(with_png_size(png, 65500, 65500)); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { decode(with_png_size(png, 0x7fffffff, 0x7fffffff)); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { decode(with_png_size(png, 0xffffffff, 1)); }), Code::kInvalid);
  EXPECT_EQ(code_of([&] { decode(with_png_size(png, 50'000'000, 1)); }), Code::kInvalid) << "over the limit of a side";
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(DecodeImage, RefusesZeroSizes) {
  for (const auto& [width, height] : {std::pair<uint32_t, uint32_t>{0, 3}, {5, 0}, {0, 0}}) {
    EXPECT_EQ(code_of([&] { decode(with_png_size(golden_file(kPng), width, height)); }), Code::kInvalid);
    EXPECT_NE(code_of([&] { decode(with_jpeg_size(golden_file(kJpeg), width, height)); }), Code{});
  }
}

TEST(DecodeImage, RefusesEveryTruncation) {
  for (const std::string& name : {kJpeg, kProgressive, kPng, std::string("jpeg cmyk"), std::string("png interlaced")}) {
    const auto file = golden_file(name);
    const size_t needed = name.starts_with("png") ? file.size() - 12 : file.size();  // a PNG's last, empty chunk is not waited for
    for (size_t length = 0; length < needed; ++length) {
      EXPECT_EQ(code_of([&] {
                  decode({file.begin(), file.begin() + static_cast<ptrdiff_t>(length)});
                }),
                Code::kInvalid)
          << name << " " << length;
    }
  }
}

// A progressive file of many scans costs the whole picture's time for each.
TEST(DecodeImage, RefusesEndlessScans) {
  auto jpeg = with_jpeg_size(golden_file(kProgressive), 4000, 4000);
  const auto find = [&](uint8_t marker, size_t from) {
    for (size_t i = from;; ++i)
      if (jpeg.at(i) == 0xff && jpeg.at(i + 1) == marker) return i;
  };
  const size_t first = find(0xda, 0), end = find(0xd9, first);
  const std::vector<uint8_t> scans(jpeg.begin() + static_cast<ptrdiff_t>(first), jpeg.begin() + static_cast<ptrdiff_t>(end));
  for (int i = 0; i < 100; ++i) jpeg.insert(jpeg.begin() + static_cast<ptrdiff_t>(end), scans.begin(), scans.end());
  const auto start = std::chrono::steady_clock::now();
  try {
    decode(jpeg);
    FAIL() << "decoded";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("scans"), std::string::npos) << error.message();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

// Random damage: a picture of the size its header says, or a typed error.
TEST(DecodeImage, RandomMutations) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::vector<std::vector<uint8_t>> files;
  for (const auto& item : golden()["files"]) files.push_back(from_hex(item["file"].get<std::string>()));
  const DecodeLimits limits{.max_pixels = 1'000'000};
  int decoded = 0;
  for (int round = 0; round < 20000; ++round) {
    auto bytes = files[random() % files.size()];
    for (uint32_t i = 0, count = 1 + random() % 6; i < count; ++i) {
      const size_t at = random() % bytes.size();
      if (random() % 4 == 0) {
        bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(at),
                    bytes.begin() + static_cast<ptrdiff_t>(std::min(bytes.size(), at + 1 + random() % 8)));
      } else {
        bytes[at] = static_cast<uint8_t>(random());
      }
      if (bytes.empty()) break;
    }
    const Code code = code_of([&] {
      const Image image = decode(bytes, limits);
      ASSERT_EQ(image.rgb.size(), static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3);
      ++decoded;
    });
    ASSERT_TRUE(code == Code{} || code == Code::kInvalid || code == Code::kUnsupported) << static_cast<int>(code);
  }
  EXPECT_GT(decoded, 100);
}

}  // namespace
}  // namespace octet
