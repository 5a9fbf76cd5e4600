#include "profile/layers.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace octet::profile {
namespace {

TEST(Layers, AreTrtexecsArray) {
  const LayerProfile profile{
      4,
      "cpu \"quoted\"",
      "image",
      3.5,
      3.75,
      {{"norm", "norm", "norm:f16->e4m3:4x8", "norm_warp_row", {1, 5, 3, 3}}, {"fc1", "gemm", "gemm:...", "gemm_simt", {10, 12, 8, 6}}}};
  const auto json = nlohmann::json::parse(to_json(profile));
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[0], (nlohmann::json{{"count", 4},
                                     {"batch", 4},
                                     {"device", "cpu \"quoted\""},
                                     {"engine", "image"},
                                     {"computeMs", 3.5},
                                     {"plainMs", 3.75},
                                     {"stepsMs", 11.0}}));
  EXPECT_EQ(json[1]["name"], "norm");
  EXPECT_EQ(json[1]["timeMs"], 12.0);
  EXPECT_EQ(json[1]["averageMs"], 3.0);
  EXPECT_EQ(json[1]["medianMs"], 3.0);
  EXPECT_EQ(json[1]["percentage"], 25.0);
  EXPECT_EQ(json[1]["kernel"], "norm_warp_row");
  EXPECT_EQ(json[2]["medianMs"], 9.0);
  EXPECT_EQ(json[2]["percentage"], 75.0);
  EXPECT_EQ(json[2]["kind"], "gemm");
}

TEST(Layers, OfNothingAreADescription) { EXPECT_EQ(nlohmann::json::parse(to_json({}))[0]["count"], 0); }

TEST(Layers, NamesThatAreNoUtf8AreReplaced) {
  const LayerProfile profile{1, "cpu", "e\xff", 1, 1, {{"a\xc3", "gemm", "p", "k", {1}}}};
  const auto json = nlohmann::json::parse(to_json(profile));
  EXPECT_EQ(json[0]["engine"], "e\ufffd");
  EXPECT_EQ(json[1]["name"], "a\ufffd");
}

TEST(Layers, MedianOfOddCounts) { EXPECT_EQ((Layer{"", "", "", "", {9, 1, 2}}.median()), 2.0); }

}  // namespace
}  // namespace octet::profile
