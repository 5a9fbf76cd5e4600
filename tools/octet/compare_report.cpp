#include "compare_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "console.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string decibel(double value) { return std::isinf(value) ? "equal" : fmt::format("{:.1f}", value); }
std::string share(int64_t part, int64_t whole) {
  return part == 0 ? "0" : fmt::format("{} ({:.3g} %)", part, 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}
std::string apart(const Difference& d) { return d.max_places > 1 ? fmt::format(", by up to {}", d.max_places) : ""; }
double percent(const oracle::StepVerdict& v) {
  return v.elements == 0 ? 0 : 100.0 * static_cast<double>(v.differing) / static_cast<double>(v.elements);
}

void check(const char* what, const LayerDifference& layer, const Gates& gates, std::vector<std::string>& failures) {
  const Difference& d = layer.difference;
  if (gates.min_cosine && !(d.mean_cosine >= *gates.min_cosine))
    failures.push_back(
        fmt::format("{} `{}`: mean cosine {:.6f} is below {}", what, printable(layer.name), d.mean_cosine, *gates.min_cosine));
  if (gates.min_cosine && d.not_finite > 0)
    failures.push_back(fmt::format("{} `{}`: {} values are not finite", what, printable(layer.name), d.not_finite));
  if (gates.max_code_diff && d.codes && d.differing_percent() > *gates.max_code_diff)
    failures.push_back(fmt::format("{} `{}`: {:.4g} % of the codes differ, more than {} %", what, printable(layer.name),
                                   d.differing_percent(), *gates.max_code_diff));
}

void check(const ForcedStep& step, const Gates& gates, std::vector<std::string>& failures) {
  const auto& v = step.verdict;
  if (v.unexplained > 0)
    failures.push_back(fmt::format("step `{}` ({}): {} elements lie outside the bound of its arithmetic, the first at {}",
                                   printable(step.name), step.kernel, v.unexplained, v.first_unexplained));
  if (gates.min_cosine && !(v.cosine >= *gates.min_cosine))
    failures.push_back(
        fmt::format("step `{}` ({}): cosine {:.6f} is below {}", printable(step.name), step.kernel, v.cosine, *gates.min_cosine));
  if (gates.max_code_diff && step.out == DType::e4m3 && percent(v) > *gates.max_code_diff)
    failures.push_back(fmt::format("step `{}` ({}): {:.4g} % of the codes differ, more than {} %", printable(step.name), step.kernel,
                                   percent(v), *gates.max_code_diff));
}

std::string table_of(const char* title, const std::vector<LayerDifference>& layers) {
  const bool steps = std::ranges::any_of(layers, [](const LayerDifference& layer) { return layer.saturated_a || layer.saturated_b; });
  std::vector<std::string> header{title, "A", "B", "max abs", "cosine mean", "min", "SQNR dB", "codes differing"};
  if (steps) header.insert(header.end(), {"saturated A", "B"});
  Table table(header);
  int64_t not_finite = 0;
  for (const LayerDifference& layer : layers) {
    const Difference& d = layer.difference;
    const std::vector<std::string> tensors = model_tensors(layer.name);
    std::vector<std::string> row{printable(tensors[0]) + (tensors.size() > 1 ? fmt::format(" and {} more", tensors.size() - 1) : ""),
                                 std::string(name_of(layer.a)),
                                 std::string(name_of(layer.b)),
                                 fmt::format("{:.4g}", d.max_abs),
                                 fmt::format("{:.6f}", d.mean_cosine),
                                 fmt::format("{:.6f}", d.min_cosine),
                                 decibel(d.sqnr_db),
                                 d.codes ? share(d.differing, d.elements) + apart(d) : "-"};
    for (const auto& side : {layer.saturated_a, layer.saturated_b})
      if (steps) row.push_back(side ? fmt::format("{:.4f} %", *side) : "-");
    table.add(row);
    not_finite += d.not_finite;
  }
  return table.render() +
         (not_finite > 0 ? fmt::format("{} values are not finite on one side; they count in no figure above\n", not_finite) : "");
}

std::string table_of(const ForcedEngine& engine) {
  Table table({"step", "kernel", "out", "elements", "differing", "unexplained", "max ulp"});
  int64_t unexplained = 0;
  for (const ForcedStep& step : engine.steps) {
    const auto& v = step.verdict;
    table.add({printable(step.name), step.kernel, std::string(name_of(step.out)), fmt::to_string(v.elements),
               share(v.differing, v.elements), fmt::to_string(v.unexplained), fmt::to_string(v.max_ulp)});
    unexplained += v.unexplained;
  }
  return fmt::format("\n{}: each step on the exact reference's inputs, against its exact result rounded once\n{}{}\n", engine.path,
                     table.render(),
                     unexplained == 0 ? "every difference lies within the bound of f32 accumulation"
                                      : fmt::format("{} elements lie outside the bound of f32 accumulation", unexplained));
}

std::string unpaired(const char* side, const std::vector<std::string>& names) {
  return names.empty() ? "" : fmt::format("only in {}: {} tensors, such as {}\n", side, names.size(), printable(names.front()));
}

// Names the first bad layer, and why it is.
std::string first_bad_line(const LayerReport& layers, double min_cosine) {
  const LayerDifference* bad = first_bad(layers, min_cosine);
  if (bad == nullptr) return fmt::format("no layer is bad: cosines of at least {}, no step loses {} dB\n", min_cosine, kBadLoss);
  const Difference& d = bad->difference;
  const std::string why = d.not_finite > 0 ? fmt::format("{} values are not finite", d.not_finite)
                                           : fmt::format("mean cosine {:.4f}, SQNR {} dB, {:.1f} dB lost in this step", d.mean_cosine,
                                                         decibel(d.sqnr_db), bad->lost_db);
  return fmt::format("first bad layer: {} (step `{}`): {}\n", printable(bad->name), printable(bad->step_b), why);
}

Json json_of(const std::vector<LayerDifference>& layers) {
  Json out = Json::array();
  for (const LayerDifference& layer : layers) {
    const Difference& d = layer.difference;
    Json entry{{"name", layer.name},          {"step_a", layer.step_a},      {"step_b", layer.step_b},
               {"dtype_a", name_of(layer.a)}, {"dtype_b", name_of(layer.b)}, {"elements", d.elements}};
    entry["differing"] = d.differing, entry["not_finite"] = d.not_finite, entry["max_abs"] = d.max_abs,
    entry["mean_cosine"] = d.mean_cosine;
    entry["min_cosine"] = d.min_cosine, entry["sqnr_db"] = d.sqnr_db;  // infinity is dumped as null
    entry["code_differences"] = d.codes ? Json(d.differing) : Json(nullptr);
    entry["max_places"] = d.codes ? Json(d.max_places) : Json(nullptr);
    entry["saturated_a_percent"] = layer.saturated_a ? Json(*layer.saturated_a) : Json(nullptr);
    entry["saturated_b_percent"] = layer.saturated_b ? Json(*layer.saturated_b) : Json(nullptr);
    entry["lost_db"] = layer.lost_db;
    out.push_back(std::move(entry));
  }
  return out;
}

Json json_of(const ForcedEngine& engine) {
  Json steps = Json::array();
  for (const ForcedStep& step : engine.steps) {
    const auto& v = step.verdict;
    steps.push_back({{"name", step.name},
                     {"kernel", step.kernel},
                     {"out_dtype", name_of(step.out)},
                     {"elements", v.elements},
                     {"differing", v.differing},
                     {"unexplained", v.unexplained},
                     {"first_unexplained", v.first_unexplained < 0 ? Json(nullptr) : Json(v.first_unexplained)},
                     {"max_ulp", v.max_ulp},
                     {"max_abs", v.max_abs},
                     {"cosine", v.cosine},
                     {"sqnr_db", v.sqnr_db}});
  }
  return {{"engine", engine.path}, {"steps", steps}};
}

}  // namespace

std::vector<std::string> failures_of(const CompareReport& report, const Gates& gates) {
  std::vector<std::string> failures;
  for (const LayerDifference& output : report.outputs) check("output", output, gates, failures);
  for (const LayerDifference& layer : report.layers.layers) check("layer", layer, gates, failures);
  for (const ForcedEngine& engine : report.forced)
    for (const ForcedStep& step : engine.steps) check(step, gates, failures);
  return failures;
}

std::string to_text(const CompareReport& report) {
  std::string text = fmt::format("A       {}\n", report.a);
  if (!report.b.empty()) text += fmt::format("B       {}\n", report.b);
  text += fmt::format("device  {}\ninputs  {}, batch {}\n", report.device, report.inputs, report.batch);
  if (!report.outputs.empty()) text += "\n" + table_of("output", report.outputs);
  if (const LayerReport& layers = report.layers; !layers.layers.empty() || !layers.only_a.empty())
    text += (report.forced_by.empty() ? "\n" : fmt::format("\neach step on the tensors of {}\n", report.forced_by)) +
            table_of("layer", layers.layers) + unpaired("A", layers.only_a) + unpaired("B", layers.only_b) +
            first_bad_line(layers, report.bad_cosine);
  for (const ForcedEngine& engine : report.forced) text += table_of(engine);
  return text;
}

std::string to_json(const CompareReport& report, const std::vector<std::string>& failures) {
  Json out{
      {"schema", "octet.compare/1"}, {"a", report.a}, {"b", report.b.empty() ? Json(nullptr) : Json(report.b)}, {"device", report.device}};
  out["inputs"] = report.inputs, out["batch"] = report.batch, out["passed"] = failures.empty(), out["failures"] = failures;
  out["outputs"] = json_of(report.outputs), out["layers"] = json_of(report.layers.layers);
  const LayerDifference* bad = first_bad(report.layers, report.bad_cosine);
  out["first_bad_layer"] = bad == nullptr ? Json(nullptr) : Json(bad->name);
  out["only_a"] = report.layers.only_a, out["only_b"] = report.layers.only_b;
  out["forced_by"] = report.forced_by.empty() ? Json(nullptr) : Json(report.forced_by);
  out["forced"] = Json::array();
  for (const ForcedEngine& engine : report.forced) out["forced"].push_back(json_of(engine));
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace octet::cli
