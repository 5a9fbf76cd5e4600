#include "report/page.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "report/html.h"

namespace octet::report {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Page, HashesAsBrowsersDo) {
  EXPECT_EQ(csp_hash(""), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");  // SHA-256 of nothing, FIPS 180-4
  EXPECT_EQ(csp_hash("abc"), "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='");
}

TEST(Page, EscapedJsonIsTheSameValue) {
  const nlohmann::json value{"</script><!--", "a & b", "<script>"};
  const std::string escaped = escape_script(value.dump());
  EXPECT_EQ(escaped.find_first_of("<>&"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(escaped), value);
}

TEST(Page, HoldsNoNetworkAndNoMarkupOfData) {
  const std::string html = page("<b>\"{{data}}\"", R"({"kind":"onnx","name":"</script><img src=x onerror=alert(1)>"})");
  EXPECT_THAT(html, HasSubstr("<title>&lt;b&gt;&quot;{{data}}&quot;</title>"));
  EXPECT_THAT(html, HasSubstr("default-src &#39;none&#39;; script-src &#39;sha256-"));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr("\\u003c/script\\u003e\\u003cimg"));
  for (const char* out : {"src=\"", "href=\"http", "@import", "url("})
    EXPECT_THAT(html.substr(0, html.find("<details>")), Not(HasSubstr(out))) << out;
}

TEST(Page, CarriesTheLicencesOfWhatItHolds) { EXPECT_THAT(page("", "{}"), HasSubstr("Mike Bostock (https:")); }

TEST(ProfileHtml, HoldsTheReportAsItIsAndADrawingOfEachGraph) {
  profile::Report report;
  report.engines.resize(2);
  for (profile::Engine& engine : report.engines) {
    engine.label = "A </script>";
    engine.nodes.resize(2);
    engine.node_edges = {{0, 1, "x"}};
    engine.steps.resize(1);
    engine.steps[0].source = {0, 1};
  }
  const std::string html = profile_html(report);
  const std::string begin = R"(<script type="application/json" id="data">)";
  const size_t at = html.find(begin) + begin.size();
  const auto data = nlohmann::json::parse(html.substr(at, html.find("</script>", at) - at));
  EXPECT_EQ(data["report"], nlohmann::json::parse(profile::to_json(report)));
  EXPECT_EQ(data["graphs"][0], data["graphs"][1]);  // one drawing serves both
  EXPECT_EQ(data["drawings"].size(), 2u);
  EXPECT_EQ(data["drawings"][data["graphs"][0]["nodes"].get<size_t>()]["items"].size(), 2u);
}

}  // namespace
}  // namespace octet::report
