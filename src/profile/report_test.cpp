#include "profile/report.h"

#include <gmock/gmock.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace octet::profile {
namespace {

using Json = nlohmann::json;

TEST(ReportJson, HasTheSchemaAndEveryPart) {
  Report report;
  report.engines.resize(1);
  report.engines[0].steps.push_back({});
  report.engines[0].steps[0].source = {3, 4};
  report.layers.push_back({"fc1", "gemm", "layers.0", {{{7}, {2, 1, 3}, "e4m3", "gemm_x"}}});
  const Json json = Json::parse(to_json(report));
  EXPECT_EQ(json["schema"], "octet.profile/1");
  EXPECT_EQ(json["engines"][0]["steps"][0]["source"], (Json{3, 4}));
  EXPECT_EQ(json["engines"][0]["summary"]["batch"], 0);
  EXPECT_EQ(json["layers"][0]["sides"][0]["time"]["high"], 3.0);
  EXPECT_TRUE(json["waterfall"].is_array() && json["slower"].is_array());
}

TEST(ReportJson, NamesOfStrangersStayText) {
  Report report;
  report.engines.resize(1);
  report.engines[0].nodes.push_back({"</script><img onerror=\"x\">\xff", "Add", "", {}, {}, -1});
  const Json json = Json::parse(to_json(report));
  EXPECT_EQ(json["engines"][0]["nodes"][0]["name"], "</script><img onerror=\"x\">\xef\xbf\xbd");
}

TEST(ReportJson, WhatIsNotFiniteIsNull) {
  Report report;
  report.engines.resize(1);
  report.engines[0].summary.gap_percent = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(Json::parse(to_json(report))["engines"][0]["summary"]["gap_percent"].is_null());
}

}  // namespace
}  // namespace octet::profile
