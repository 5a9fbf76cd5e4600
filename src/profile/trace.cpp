#include "profile/trace.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace octet::profile {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kNamedNodes = 16;  // of a step's ONNX nodes

void name_tracks(const Engine& engine, size_t pid, Json& events) {
  const auto meta = [&](const char* kind, size_t tid, const std::string& name) {
    events.push_back({{"name", kind}, {"ph", "M"}, {"pid", pid}, {"tid", tid}, {"args", {{"name", name}}}});
  };
  meta("process_name", 0, engine.label + ": " + engine.name + " on " + engine.environment.device);
  meta("thread_name", 0, "runs");
  meta("thread_name", 1, "steps");
}

Json nodes_of(const Engine& engine, const Step& step) {
  Json names = Json::array();
  for (const uint32_t node : step.source) {
    if (names.size() == kNamedNodes) break;
    names.push_back(engine.nodes.at(node).name);
  }
  return names;
}

// Microseconds, as the format wants them.
Json complete(const std::string& name, const std::string& category, double begin_ms, double ms, size_t pid, int tid, Json args) {
  return {{"name", name},    {"cat", category}, {"ph", "X"},  {"ts", begin_ms * 1e3},
          {"dur", ms * 1e3}, {"pid", pid},      {"tid", tid}, {"args", std::move(args)}};
}

}  // namespace

std::string to_trace(const Report& report, const std::vector<StepTimes>& times) {
  OCTET_CHECK(times.size() == report.engines.size(), times.size(), report.engines.size());
  Json events = Json::array();
  for (size_t pid = 0; pid < times.size(); ++pid) {
    const Engine& engine = report.engines[pid];
    name_tracks(engine, pid, events);
    std::map<int, std::pair<double, double>> runs;  // begin, end
    for (const Event& event : times[pid].events) {
      const Step& step = engine.steps.at(event.step);
      const auto run = runs.try_emplace(event.run, event.begin_ms, 0).first;
      run->second.second = std::max(run->second.second, event.begin_ms + event.ms);
      events.push_back(complete(step.name, step.category, event.begin_ms, event.ms, pid, 1,
                                {{"problem", step.problem},
                                 {"kernel", step.kernel},
                                 {"precision", step.precision},
                                 {"run", event.run},
                                 {"first_item", event.first_item},
                                 {"items", event.items},
                                 {"onnx", nodes_of(engine, step)}}));
    }
    for (const auto& [run, span] : runs)
      events.push_back(
          complete("run " + std::to_string(run), "run", span.first, span.second - span.first, pid, 0, {{"batch", engine.summary.batch}}));
  }
  const Json trace{{"traceEvents", events}, {"displayTimeUnit", "ms"}, {"otherData", {{"schema", "octet.trace/1"}}}};
  return trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace octet::profile
