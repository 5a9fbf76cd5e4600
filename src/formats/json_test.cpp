#include "formats/json.h"

#include <gmock/gmock.h>

#include "formats/hostile_testing.h"

namespace octet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

std::string parse_error(std::string_view text, const JsonLimits& limits = {}) {
  return error_of([&] { parse_json(text, "x.json", limits); });
}

TEST(Json, ParsesValues) {
  const auto value = parse_json(R"({"a": [1, -2, 2.5, "\u00e9", null, true], "b": {}})", "x.json");
  EXPECT_EQ(value["a"][0], 1);
  EXPECT_EQ(value["a"][2], 2.5);
  EXPECT_EQ(value["a"][3], "é");
  EXPECT_TRUE(value["b"].is_object());
}

TEST(Json, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_THAT(parse_error(R"({"a": 1, "a": 2})"), HasSubstr("duplicate JSON key `a`"));
  EXPECT_THAT(parse_error(R"([{"x": {"b": 1, "c": 2, "b": 3}}])"), HasSubstr("duplicate JSON key `b`"));
  EXPECT_THAT(parse_error("{\"a\": 1, \"\\u0061\": 2}"), HasSubstr("duplicate JSON key `a`"));
  EXPECT_EQ(parse_error(R"([{"a": 1}, {"a": 2}, {"b": {"a": 1}}])"), "");
}

TEST(Json, LimitsDepthValuesStringsAndBytes) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(parse_error(nested(64)), "");
  EXPECT_THAT(parse_error(nested(65)), HasSubstr("deeper than 64"));
  EXPECT_THAT(parse_error(std::string(10'000'000, '[')), HasSubstr("deeper than 64"));
  EXPECT_THAT(parse_error("[1,1,1,1]", {.values = 4}), HasSubstr("more than 4 JSON values"));
  EXPECT_EQ(parse_error("[1,1,1]", {.values = 4}), "");
  EXPECT_THAT(parse_error("{\"a\":1,\"b\":1}", {.values = 4}), HasSubstr("more than 4 JSON values"));
  EXPECT_THAT(parse_error("\"" + std::string(100, 'x') + "\"", {.string_bytes = 50}), HasSubstr("longer than 50"));
  EXPECT_THAT(parse_error("[      ]", {.bytes = 7}), HasSubstr("8 bytes of JSON"));
  EXPECT_EQ(parse_error(R"("[[[[\"[[[[")", {.depth = 1}), "") << "brackets in a string are text";
}

TEST(Json, TakesTimeInProportionToItsSize) {
  std::string text = "{";
  for (int i = 0; i < 300'000; ++i) text += fmt::format("\"{}\":{{}},", i);
  text.back() = '}';
  const double begin = testing::cpu_seconds();
  EXPECT_EQ(parse_json(text, "x.json").size(), 300'000u);
  EXPECT_LT(testing::cpu_seconds() - begin, 5) << "0.3 s alone; a walk over all members for each took minutes";
}

TEST(Json, NamesThePlaceOfSyntaxErrors) {
  for (const char* text : {"", "{", "{\"a\"", "[1,]", "nul", "[1] x", "{\"a\": 1e999}", "\"\xff\"", "\"\n\"", "NaN", "\"\\ud800\"", "\\"})
    EXPECT_THAT(parse_error(text), HasSubstr("x.json: not valid JSON: ")) << text;
}

TEST(Json, SurvivesMutations) {
  const std::string text = R"({"a": [1, -2, 2.5e3, "\u00e9\"", null, true, {"x": [[]]}], "b": {"c": "text", "d": false}})";
  testing::expect_survives_mutations(text, 20'000, [](const Blob& blob) { parse_json(blob.text(), blob.where); });
}

}  // namespace
}  // namespace octet
