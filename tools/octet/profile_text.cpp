#include "profile_text.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "console.h"
#include "inspect.h"

namespace octet::cli {
namespace {

using profile::Engine;
using profile::Report;
using profile::Step;

std::string ms(double value) { return fmt::format("{:.4g}", value); }
std::string ms(const profile::Estimate& e) { return fmt::format("{:.4g} [{:.4g}, {:.4g}]", e.median, e.low, e.high); }
std::string percent(double part, double all) { return all > 0 ? fmt::format("{:.1f} %", 100 * part / all) : "-"; }

std::string summary(const Report& report) {
  Table table({"engine", "median ms [95 %]", "p90", "p99", "items/s", "sum of steps ms", "gap", "file", "weights", "arena"});
  for (const Engine& e : report.engines) {
    const auto& s = e.summary;
    table.add({e.label, ms(s.end_to_end), ms(s.p90), ms(s.p99), fmt::format("{:.4g}", s.items_per_second), ms(s.sum_of_steps.median),
               fmt::format("{:+.1f} %", s.gap_percent), s.engine_bytes ? human_bytes(s.engine_bytes) : "-", human_bytes(s.weight_bytes),
               human_bytes(s.arena_bytes)});
  }
  std::string text;
  for (const Engine& e : report.engines)
    text += fmt::format("{}: {} (batch {}, {} runs, {} profiled) on {}\n", e.label, printable(e.file), e.summary.batch, e.summary.runs,
                        e.summary.profiled_runs, e.environment.device);
  return text + table.render();
}

// Rows by name, a column an engine: ms and share.
std::string shares(const Report& report, const std::string& title, std::vector<profile::Share> Engine::*list) {
  std::vector<std::string> names, header{title};
  for (const Engine& e : report.engines) {
    header.push_back(e.label + " ms");
    header.push_back("%");
    header.push_back("steps");
    for (const auto& share : e.*list)
      if (std::ranges::find(names, share.name) == names.end()) names.push_back(share.name);
  }
  Table table(header);
  for (const std::string& name : names) {
    std::vector<std::string> row{name};
    for (const Engine& e : report.engines) {
      double all = 0;
      for (const auto& share : e.*list) all += share.ms;
      const auto found = std::ranges::find(e.*list, name, &profile::Share::name);
      const bool has = found != (e.*list).end();
      row.push_back(has ? ms(found->ms) : "-");
      row.push_back(has ? percent(found->ms, all) : "-");
      row.push_back(has ? std::to_string(found->steps) : "-");
    }
    table.add(row);
  }
  return "\n" + table.render();
}

std::string waterfall(const Report& report) {
  std::string text;
  for (const auto& leg : report.waterfall) {
    text += fmt::format("\n{} -> {}: {:.4g} -> {:.4g} ms, {:.2f}x, by {}\n", report.engines[leg.from].label, report.engines[leg.to].label,
                        leg.from_ms, leg.to_ms, leg.speed_up, leg.cause);
    for (const auto& part : leg.parts) text += fmt::format("  {:<20} {:+.4g} ms\n", part.category, -part.ms);
    text += fmt::format("  {:<20} {:+.4g} ms\n", "not in any step", -leg.unattributed_ms);
  }
  return text;
}

// Layers that repeat, with the same reason, are one line; a single one keeps its own name.
class Layers {
 public:
  void add(const std::string& name, const std::string& what, double ms) {
    const std::string pattern = without_numbers(name) + what;
    auto found = std::ranges::find(lines_, pattern, &Line::pattern);
    if (found == lines_.end()) found = lines_.insert(lines_.end(), {pattern, name + what, 0, 0});
    ++found->count, found->ms += ms;
  }
  std::string text(std::string_view sign) const {
    std::string text;
    for (const Line& line : lines_)
      text +=
          fmt::format("  {} x, {}{:.4g} ms  {}\n", line.count, sign, line.ms, printable(line.count == 1 ? line.first : line.pattern, 400));
    return text;
  }
  bool empty() const { return lines_.empty(); }

 private:
  struct Line {
    std::string pattern, first;
    int count;
    double ms;
  };
  std::vector<Line> lines_;
};

std::string slower(const Report& report) {
  if (report.engines.size() < 2) return "";
  Layers layers;
  for (const auto& layer : report.slower)
    if (layer.beyond_noise)
      layers.add(report.layers[layer.layer].name,
                 fmt::format(", {} -> {}: {}", report.engines[layer.from].label, report.engines[layer.to].label, layer.reason),
                 layer.delta_ms);
  return fmt::format("\nslower than before, beyond noise: {}\n", layers.empty() ? "none" : "") + layers.text("+");
}

std::string not_fp8(const Report& report) {
  std::string text;
  for (const Engine& e : report.engines) {
    if (std::ranges::none_of(e.steps, [](const Step& s) { return s.fp8 == "yes" || s.fp8 == "partly"; })) continue;
    Layers layers;
    for (const Step& step : e.steps)
      if (step.fp8 == "no" || step.fp8 == "partly") layers.add(step.name, ": " + step.fp8_reason, step.time.median);
    text += fmt::format("\nproducts not in FP8, {}: {}\n", e.label, layers.empty() ? "none" : "") + layers.text("");
  }
  return text;
}

// Steps of one pattern and kernel, of a single engine.
struct Kind {
  std::string name, kernel, problem, precision, roof;
  int count = 0;
  double ms = 0, flops = 0, bytes = 0, roof_ms = 0;
};
std::vector<Kind> kinds_of(const Engine& engine) {
  std::vector<Kind> kinds;
  for (const Step& step : engine.steps) {
    const std::string name = without_numbers(step.name);
    auto found =
        std::ranges::find_if(kinds, [&](const Kind& k) { return k.name == name && k.kernel == step.kernel && k.problem == step.problem; });
    if (found == kinds.end()) found = kinds.insert(kinds.end(), {name, step.kernel, step.problem, step.precision, step.roofline.roof});
    ++found->count, found->ms += step.time.median, found->flops += step.flops, found->bytes += static_cast<double>(step.bytes);
    found->roof_ms += step.roofline.roof_ms;
  }
  return kinds;
}

std::string kinds_table(const Engine& engine) {
  Table table({"layers", "x", "ms", "%", "TFLOP/s", "GB/s", "of roof", "roof", "kernel"});
  for (const Kind& k : kinds_of(engine))
    table.add({printable(k.name), std::to_string(k.count), ms(k.ms), percent(k.ms, engine.summary.sum_of_steps.median),
               k.flops > 0 ? fmt::format("{:.3g}", k.flops / k.ms * 1e-9) : "-", fmt::format("{:.3g}", k.bytes / k.ms * 1e-6),
               k.roof.empty() ? "-" : percent(k.roof_ms, k.ms), k.roof.empty() ? "-" : k.roof, k.kernel});
  return fmt::format("\n{}\n{}", engine.label, table.render());
}

// Layers that stand for the same nodes, those that repeat on one line.
std::string matched_table(const Report& report) {
  struct Row {
    std::string name;
    int count = 0;
    std::vector<double> ms;
  };
  std::vector<Row> rows;
  for (const auto& layer : report.layers) {
    const std::string name = without_numbers(layer.name);
    auto found = std::ranges::find(rows, name, &Row::name);
    if (found == rows.end()) found = rows.insert(rows.end(), {name, 0, std::vector<double>(report.engines.size())});
    ++found->count;
    for (size_t e = 0; e < layer.sides.size(); ++e) found->ms[e] += layer.sides[e].time.median;
  }
  std::vector<std::string> header{"layers", "x"};
  for (const Engine& e : report.engines) header.push_back(e.label + " ms");
  header.push_back(fmt::format("{} over {}", report.engines.front().label, report.engines.back().label));
  Table table(header);
  for (const Row& row : rows) {
    std::vector<std::string> cells{printable(row.name), std::to_string(row.count)};
    for (const double value : row.ms) cells.push_back(value > 0 ? ms(value) : "-");
    cells.push_back(row.ms.back() > 0 && row.ms.front() > 0 ? fmt::format("{:.2f}x", row.ms.front() / row.ms.back()) : "-");
    table.add(cells);
  }
  return "\n" + table.render();
}

std::string slowest(const Engine& engine, int64_t top) {
  if (top <= 0) return "";
  std::vector<const Step*> steps;
  for (const Step& step : engine.steps) steps.push_back(&step);
  std::ranges::stable_sort(steps, std::greater{}, [](const Step* step) { return step->time.median; });
  if (static_cast<int64_t>(steps.size()) > top) steps.resize(static_cast<size_t>(top));
  Table table({"slowest steps, " + engine.label, "ms [95 %]", "%", "of roof", "problem", "kernel"});
  for (const Step* step : steps)
    table.add({printable(step->name), ms(step->time), fmt::format("{:.1f}", step->share), fmt::format("{:.0f} %", step->roofline.percent),
               step->problem, step->kernel});
  return "\n" + table.render();
}

std::string sites(const Engine& engine) {
  if (engine.sites.empty()) return "";
  Table table({"FP8 sites, " + engine.label, "columns", "scale", "largest code", "at the end", "clipped", "zero", "NaN"});
  for (const auto& site : engine.sites) {
    const auto of = [&](int64_t part, int64_t all) { return all > 0 ? fmt::format("{:.4f} %", 100.0 * part / all) : "-"; };
    table.add({printable(site.tensor), fmt::format("{}-{}", site.column_begin, site.column_end), fmt::format("{:.5g}", site.scale),
               fmt::format("{:g}", site.largest), of(site.saturated, site.elements), of(site.clipped, site.judged),
               of(site.zeros, site.elements), of(site.nan, site.elements)});
  }
  return "\n" + table.render();
}

std::string transitions(const Engine& engine) {
  std::string text = fmt::format("\nactivations by precision of the steps, {}:", engine.label);
  for (const auto& t : engine.transitions) text += fmt::format(" {}->{} {} ({});", t.from, t.to, t.edges, human_bytes(t.bytes));
  text.back() = '\n';
  text += fmt::format("reformat and copy steps: {:.4g} ms; Q/DQ nodes that folded into no FP8 step: {}\n", engine.reformat_ms,
                      engine.stray_quantizers.size());
  return text;
}

}  // namespace

std::string profile_text(const Report& report, int64_t top) {
  std::string text = summary(report);
  text += waterfall(report);
  text += shares(report, "category", &Engine::by_category);
  text += shares(report, "precision", &Engine::by_precision);
  if (report.engines.size() > 1) text += matched_table(report);
  else text += kinds_table(report.engines[0]);
  text += slower(report);
  text += not_fp8(report);
  for (const Engine& engine : report.engines) text += transitions(engine) + slowest(engine, top) + sites(engine);
  for (const Engine& engine : report.engines)
    for (const std::string& note : engine.notes) text += fmt::format("note, {}: {}\n", engine.label, note);
  return text;
}

}  // namespace octet::cli
