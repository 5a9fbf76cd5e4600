#include "profile/read_report.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "profile/report_fields.h"

namespace octet::profile {
namespace {

using Json = nlohmann::json;
constexpr size_t kMostBytes = size_t{64} << 20;  // three engines of 520 steps and 200 runs on a GPU: 8 MiB
constexpr int kMostDepth = 16;                   // the schema's own: 7
constexpr size_t kMostEngines = 26;              // A to Z

[[noreturn]] void wrong(const std::string& place, std::string_view expected) { fail(Code::kInvalid, "{} is not {}", place, expected); }

void read(const Json& json, const std::string& place, std::string& out) {
  if (!json.is_string()) wrong(place, "a string");
  out = printable(json.get_ref<const std::string&>(), std::string::npos);
}
void read(const Json& json, const std::string& place, bool& out) {
  if (!json.is_boolean()) wrong(place, "true or false");
  out = json.get<bool>();
}
void read(const Json& json, const std::string& place, double& out) {  // null: what is not finite
  if (!json.is_number() && !json.is_null()) wrong(place, "a number");
  out = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}
template <class T>
requires std::is_integral_v<T>
void read(const Json& json, const std::string& place, T& out) {
  using Limits = std::numeric_limits<T>;
  const bool fits = json.is_number_unsigned()
                        ? json.get<uint64_t>() <= static_cast<uint64_t>(Limits::max())
                        : json.is_number_integer() && Limits::is_signed && json.get<int64_t>() >= static_cast<int64_t>(Limits::min());
  if (!fits) wrong(place, fmt::format("a whole number from {} to {}", Limits::min(), Limits::max()));
  out = json.get<T>();
}
template <class T>
void read(const Json& json, const std::string& place, std::vector<T>& out);
template <class T>
requires std::is_class_v<T>
void read(const Json& json, const std::string& place, T& out) {
  if (!json.is_object()) wrong(place, "an object");
  fields(out, [&](const char* name, auto& member) {
    const auto found = json.find(name);
    if (found == json.end()) fail(Code::kInvalid, "{}.{} is missing", place, name);
    read(*found, fmt::format("{}.{}", place, name), member);
  });
}
template <class T>
void read(const Json& json, const std::string& place, std::vector<T>& out) {
  if (!json.is_array()) wrong(place, "an array");
  out.resize(json.size());
  for (size_t i = 0; i < out.size(); ++i) read(json[i], fmt::format("{}[{}]", place, i), out[i]);
}

// Indices that a list of `size` does not have. -1 stands for none of them where `none` allows it.
template <class Index>
void check_index(Index index, size_t size, bool none, std::string_view what) {
  const auto at = static_cast<int64_t>(index);
  if (at >= static_cast<int64_t>(size) || at < (none ? -1 : 0)) fail(Code::kInvalid, "{} {} of {}", what, at, size);
}

void check_times(const Step& step, size_t runs) {
  if (step.ms.size() != runs) fail(Code::kInvalid, "step {}: {} runs, the first step has {}", printable(step.name), step.ms.size(), runs);
  for (const double ms : step.ms)
    if (!(std::isfinite(ms) && ms >= 0)) fail(Code::kInvalid, "step {}: a time of {} ms", printable(step.name), ms);
}

void check_engine(const Engine& engine) {
  for (const Step& step : engine.steps) {
    check_times(step, engine.steps[0].ms.size());
    for (const uint32_t node : step.source) check_index(node, engine.nodes.size(), false, "a step stands for node");
  }
  for (const StepEdge& edge : engine.edges)
    for (const int64_t step : {edge.from, edge.to}) check_index(step, engine.steps.size(), true, "an edge has step");
  for (const SourceNode& node : engine.nodes) check_index(node.step, engine.steps.size(), true, "a node is of step");
  for (const SourceEdge& edge : engine.node_edges)
    for (const uint32_t node : {edge.from, edge.to}) check_index(node, engine.nodes.size(), false, "an edge has node");
  for (const uint32_t node : engine.stray_quantizers) check_index(node, engine.nodes.size(), false, "a stray quantizer is node");
  for (const SiteStats& site : engine.sites) check_index(site.step, engine.steps.size(), false, "a site is of step");
}

Json parse(std::string_view text) {
  if (text.size() > kMostBytes) fail(Code::kInvalid, "{} is too large for a profile report", human_bytes(text.size()));
  const auto shallow = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMostDepth) fail(Code::kInvalid, "JSON nested deeper than {}", kMostDepth);
    return true;
  };
  try {
    return Json::parse(text, shallow);
  } catch (const Json::exception& error) {
    fail(Code::kInvalid, "not valid JSON: {}", printable(error.what()));
  }
}

}  // namespace

Report read_report(std::string_view text) {
  const Json json = parse(text);
  const auto schema = json.is_object() ? json.find("schema") : json.end();
  if (schema == json.end() || *schema != "octet.profile/1") fail(Code::kInvalid, "no report of schema octet.profile/1");
  const auto engines = json.find("engines");
  if (engines == json.end()) fail(Code::kInvalid, "engines is missing");
  Report report;
  read(*engines, "engines", report.engines);
  if (report.engines.empty() || report.engines.size() > kMostEngines)
    fail(Code::kInvalid, "a report of {} engines; 1 to {} make one", report.engines.size(), kMostEngines);
  for (size_t i = 0; i < report.engines.size(); ++i)
    with_context([&] { return fmt::format("checking engines[{}]", i); }, [&] { check_engine(report.engines[i]); });
  return report;
}

}  // namespace octet::profile
