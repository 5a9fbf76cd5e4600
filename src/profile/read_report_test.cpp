#include "profile/read_report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "profile/compare_engines.h"

namespace octet::profile {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

Engine engine(std::string label, double ms) {
  Engine e;
  e.label = std::move(label);
  e.summary.end_to_end = {ms, ms - 1, ms + 1};
  e.nodes = {{"MatMul_0", "MatMul", "", {"x"}, {"y"}, 0}, {"Q_1", "QuantizeLinear", "", {"y"}, {"z"}, -1}};
  e.node_edges = {{0, 1, "y"}};
  e.steps.resize(1);
  Step& step = e.steps[0];
  step.name = "fc1", step.category = "gemm", step.precision = "e4m3", step.source = {0}, step.ms = {ms, ms, ms + 1};
  step.time = {ms, ms, ms + 1};
  e.edges = {{-1, 0, "x", "f16", 8}, {0, -1, "y", "f16", 8}};
  e.stray_quantizers = {1};
  return e;
}
Report report() {
  Report r;
  r.engines = {engine("A f16", 5), engine("B e4m3", 3)};
  compare_engines(r);
  return r;
}

TEST(ReadReport, GivesBackWhatWasWritten) {
  const std::string written = to_json(report());
  Report read = read_report(written);
  compare_engines(read);
  EXPECT_EQ(to_json(read), written);
}

TEST(ReadReport, SkipsWhatItDoesNotKnow) {
  Json json = Json::parse(to_json(report()));
  json["engines"][0]["later"] = {1, 2};
  EXPECT_EQ(read_report(json.dump()).engines.size(), 2u);
}

std::string refusal(const std::string& text) {
  try {
    read_report(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalid);
    return error.what();
  }
  return "accepted";
}

// What is at `pointer` replaced by `value`, or with an undefined one removed.
std::string changed(const char* pointer, const Json& value) {
  Json json = Json::parse(to_json(report()));
  json[Json::json_pointer(pointer)] = value;
  return refusal(json.dump());
}

TEST(ReadReport, RefusesWhatDoesNotFit) {
  EXPECT_THAT(changed("/schema", "octet.profile/2"), HasSubstr("octet.profile/1"));
  EXPECT_THAT(changed("/engines", Json::array()), HasSubstr("0 engines"));
  EXPECT_THAT(changed("/engines", Json::object()), HasSubstr("not an array"));
  EXPECT_THAT(changed("/engines/0/label", 3), HasSubstr("engines[0].label is not a string"));
  EXPECT_THAT(changed("/engines/0/summary/runs", 3e9), HasSubstr("engines[0].summary.runs is not a whole number"));
  EXPECT_THAT(changed("/engines/0/summary/batch", "8"), HasSubstr("whole number"));
  EXPECT_THAT(changed("/engines/0/summary/engine_bytes", -1), HasSubstr("whole number"));
  EXPECT_THAT(changed("/engines/0/summary/runs", int64_t{1} << 40), HasSubstr("whole number"));
  EXPECT_THAT(changed("/engines/0/steps/0/share", "x"), HasSubstr("engines[0].steps[0].share is not a number"));
  EXPECT_THAT(changed("/engines/0/steps/0/source/0", 2), HasSubstr("node 2 of 2"));
  EXPECT_THAT(changed("/engines/0/steps/0/source/0", -1), HasSubstr("whole number"));
  EXPECT_THAT(changed("/engines/0/edges/0/from", -2), HasSubstr("step -2 of 1"));
  EXPECT_THAT(changed("/engines/0/edges/0/to", 1), HasSubstr("step 1 of 1"));
  EXPECT_THAT(changed("/engines/0/nodes/0/step", 1), HasSubstr("step 1 of 1"));
  EXPECT_THAT(changed("/engines/0/node_edges/0/to", 2), HasSubstr("node 2 of 2"));
  EXPECT_THAT(changed("/engines/0/stray_quantizers/0", 9), HasSubstr("node 9 of 2"));
  EXPECT_THAT(changed("/engines/0/steps/0/ms/0", nullptr), HasSubstr("a time of nan"));
  EXPECT_THAT(changed("/engines/0/steps/0/ms/0", -1), HasSubstr("a time of -1"));
}

TEST(ReadReport, LeavesNoControlCharacters) {
  Json json = Json::parse(to_json(report()));
  json["engines"][0]["label"] = "\x1b[2J";
  EXPECT_EQ(read_report(json.dump()).engines[0].label, "\\x1b[2J");
}

TEST(ReadReport, RefusesWhatIsMissing) {
  Json json = Json::parse(to_json(report()));
  json["engines"][1]["steps"][0].erase("kernel");
  EXPECT_THAT(refusal(json.dump()), HasSubstr("engines[1].steps[0].kernel is missing"));
  json = Json::parse(to_json(report()));
  json["engines"][1]["steps"].push_back(json["engines"][1]["steps"][0]);
  json["engines"][1]["steps"][1]["ms"].erase(0);
  EXPECT_THAT(refusal(json.dump()), HasSubstr("2 runs, the first step has 3"));
}

TEST(ReadReport, RefusesWhatIsNoReport) {
  for (const char* text : {"", "{", "[]", "3", "{}", "{\"schema\": \"octet.profile/1\"}", "{\"schema\": [1e999]}"})
    EXPECT_NE(refusal(text), "accepted") << text;
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("nested deeper"));
}

// Cut anywhere, and with any byte changed: refused or read, never more.
TEST(ReadReport, SurvivesEveryCutAndBrokenByte) {
  const std::string whole = to_json(report());
  for (size_t i = 0; i + 1 < whole.size(); ++i) EXPECT_NE(refusal(whole.substr(0, i)), "accepted") << i;
  for (size_t i = 0; i < whole.size(); ++i)
    for (const char c : {'-', '9', '"', '}', '\xff'}) {
      std::string broken = whole;
      broken[i] = c;
      refusal(broken);
    }
}

}  // namespace
}  // namespace octet::profile
