// Resizing against Pillow's recorded pixels and against the definition in double precision; preprocessing against its formula;
// configurations, good and bad.
#include "image/preprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "image/golden_test.h"
#include "numeric/convert.h"

namespace octet {
namespace {

Image random_image(int width, int height, std::mt19937& random) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
  for (auto& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

uint8_t at(const Image& image, int x, int y, int c) {
  return image.rgb[(static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) * 3 + static_cast<size_t>(c)];
}

TEST(Resize, EqualsPillow) {
  const Image source = golden_image(golden()["source"]);
  ASSERT_GE(golden()["resizes"].size(), 16u);
  for (const auto& item : golden()["resizes"]) {
    const Image expected = golden_image(item);
    const Image actual = resize(source, expected.width, expected.height, static_cast<Filter>(item["filter"].get<int>()));
    EXPECT_EQ(actual.rgb, expected.rgb) << expected.width << "x" << expected.height << " filter " << item["filter"];
  }
}

TEST(Resize, SameSizeIsACopy) {
  const Image source = golden_image(golden()["source"]);
  EXPECT_EQ(resize(source, source.width, source.height, Filter::kBicubic).rgb, source.rgb);
}

TEST(Resize, AWindowIsAPartOfTheWhole) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto upto = [&](int n) { return 1 + static_cast<int>(random() % static_cast<uint32_t>(n)); };
  for (int round = 0; round < 200; ++round) {
    const Image source = random_image(upto(40), upto(40), random);
    const int width = upto(50), height = upto(50);
    Window window{0, 0, upto(width), upto(height)};
    window.x = upto(width - window.width + 1) - 1;
    window.y = upto(height - window.height + 1) - 1;
    const Image whole = resize(source, width, height, Filter::kBicubic), part = resize(source, width, height, Filter::kBicubic, window);
    for (int y = 0; y < window.height; ++y)
      for (int x = 0; x < window.width; ++x)
        for (int c = 0; c < 3; ++c)
          ASSERT_EQ(at(part, x, y, c), at(whole, x + static_cast<int>(window.x), y + static_cast<int>(window.y), c));
  }
}

// The definition, without fixed point, two passes or their rounding. The first pass rounds by at most 1/2, which the second
// scales by the sum of its weights' magnitudes (below 1.3 for this kernel), and rounds again; clamping the intermediate to
// [0, 255] adds what it overshoots, so the source keeps within [64, 191], where Keys' kernel overshoots by less than 64.
TEST(Resize, IsNearTheDefinition) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto keys = [](double x) {
    x = std::abs(x);
    return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0.0;
  };
  Image source = random_image(37, 29, random);
  for (auto& value : source.rgb) value = static_cast<uint8_t>(64 + value / 2);
  for (const auto& [width, height] : {std::pair{11, 13}, {37, 8}, {64, 70}, {16, 60}, {80, 5}}) {
    const Image actual = resize(source, width, height, Filter::kBicubic);
    const auto weights = [&](int in, int out, int i) {
      const double scale = static_cast<double>(in) / out, stretch = std::max(1.0, scale), center = (i + 0.5) * scale;
      std::vector<double> w(static_cast<size_t>(in));
      double sum = 0;
      for (int x = 0; x < in; ++x) sum += w[static_cast<size_t>(x)] = keys((x + 0.5 - center) / stretch);
      for (auto& value : w) value /= sum;
      return w;
    };
    for (int y = 0; y < height; ++y) {
      const auto wy = weights(source.height, height, y);
      for (int x = 0; x < width; ++x) {
        const auto wx = weights(source.width, width, x);
        double exact = 0;
        for (int v = 0; v < source.height; ++v)
          for (int u = 0; u < source.width; ++u) exact += wy[static_cast<size_t>(v)] * wx[static_cast<size_t>(u)] * at(source, u, v, 1);
        ASSERT_NEAR(at(actual, x, y, 1), std::clamp(exact, 0.0, 255.0), 0.5 + 0.5 * 1.3 + 0.01) << x << "," << y;
      }
    }
  }
}

TEST(ClipPreprocess, LoadsTheModelsConfiguration) {
  const auto clip = ClipPreprocess::load(std::filesystem::path(OCTET_SOURCE_DIR) / "models/clip-cifar10-fp8");
  EXPECT_EQ(clip.width, 32);
  EXPECT_EQ(clip.height, 32);
  EXPECT_EQ(clip.shortest_edge, 32);
  EXPECT_EQ(clip.filter, Filter::kBicubic);
}

TEST(ClipPreprocess, ScalesAndNormalises) {
  const auto clip = ClipPreprocess::parse(R"({"size": 2, "crop_size": 2})");
  const Image image{2, 2, {0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255}};
  float out[12];
  uint16_t half[12];
  clip.run(image, out);
  clip.run_f16(image, half);
  const double mean[] = {0.48145466, 0.4578275, 0.40821073}, std[] = {0.26862954, 0.26130258, 0.27577711};
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = 0; i < 4; ++i) {
      const double exact = (image.rgb[i * 3 + c] / 255.0 - mean[c]) / std[c];
      // Roundings to f32: pixel, mean, difference (each of at most 1), std and quotient (at most 2.7): 2^-24 each.
      EXPECT_NEAR(out[c * 4 + i], exact, 0x1p-24 * (3 / 0.26 + 2 * 2.7));
      EXPECT_EQ(half[c * 4 + i], encode_f16(out[c * 4 + i]));
    }
  }
}

TEST(ClipPreprocess, CropsTheCentreAndPadsWithBlack) {
  const Image image{3, 1, {10, 10, 10, 20, 20, 20, 30, 30, 30}};
  auto clip = ClipPreprocess::parse(R"({"do_resize": false, "crop_size": {"height": 4, "width": 2}})");
  const Image out = clip.pixels(image);  // left = floor((3 - 2) / 2) = 0; top = floor((1 - 4) / 2) = -2
  EXPECT_EQ(out.width, 2);
  EXPECT_EQ(out.height, 4);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 2; ++x) EXPECT_EQ(at(out, x, y, 0), y == 2 ? 10 * (x + 1) : 0);
}

TEST(ClipPreprocess, TruncatesTheLongerEdge) {
  const auto clip = ClipPreprocess::parse(R"({"size": {"shortest_edge": 10}, "crop_size": 10})");
  std::mt19937 random(1);
  const Image tall = random_image(7, 13, random);  // 10 * 13 / 7 = 18.57: 18 rows, cut from row 4
  EXPECT_EQ(clip.pixels(tall).rgb, resize(tall, 10, 18, Filter::kBicubic, {0, 4, 10, 10}).rgb);
}

// The longest pictures the decoder lets through take the memory of the window, not of the whole resized picture.
TEST(ClipPreprocess, ExtremeShapes) {
  const auto clip = ClipPreprocess::parse("{}");
  for (const auto& [width, height] : {std::pair{1, 65535}, {65535, 1}}) {
    const Image image{width, height, std::vector<uint8_t>(size_t{65535} * 3, 77)};
    const Image out = clip.pixels(image);
    EXPECT_EQ(out.width, 224);
    EXPECT_TRUE(std::all_of(out.rgb.begin(), out.rgb.end(), [](uint8_t v) { return v == 77; }));
  }
  EXPECT_EQ(code_of([&] { clip.pixels({}); }), Code::kInvalid);
}

TEST(ClipPreprocess, RefusesBadConfigurations) {
  const std::pair<std::string, Code> cases[] = {
      {"", Code::kInvalid},
      {"[]", Code::kInvalid},
      {"{", Code::kInvalid},
      {std::string(100000, '['), Code::kInvalid},
      {"{\"size\": " + std::string(10000, '[') + std::string(10000, ']') + "}", Code::kInvalid},
      {R"({"size": 0})", Code::kInvalid},
      {R"({"size": -5})", Code::kInvalid},
      {R"({"size": 1e9})", Code::kInvalid},
      {R"({"size": 99999999999999999999})", Code::kInvalid},
      {R"({"size": "224"})", Code::kInvalid},
      {R"({"size": {"shortest_edge": 224, "longest_edge": 500}})", Code::kUnsupported},
      {R"({"size": {"height": 0, "width": 4}})", Code::kInvalid},
      {R"({"size": {"shortest_edge": 224}, "do_center_crop": false})", Code::kUnsupported},
      {R"({"do_resize": false, "do_center_crop": false})", Code::kUnsupported},
      {R"({"resample": 1})", Code::kUnsupported},
      {R"({"do_resize": 1})", Code::kInvalid},
      {R"({"image_mean": [0, 0]})", Code::kInvalid},
      {R"({"image_mean": "x"})", Code::kInvalid},
      {R"({"image_std": [1, 0, 1]})", Code::kInvalid},
      {R"({"rescale_factor": 1e300})", Code::kInvalid},
  };
  for (const auto& [text, code] : cases) EXPECT_EQ(code_of([&] { ClipPreprocess::parse(text); }), code) << text.substr(0, 80);
  EXPECT_EQ(code_of([] { ClipPreprocess::load("/no/such/folder"); }), Code::kIo);
}

}  // namespace
}  // namespace octet
