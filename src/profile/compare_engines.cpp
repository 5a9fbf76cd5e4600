#include "profile/compare_engines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "profile/estimate.h"

namespace octet::profile {
namespace {

// Operators whose nodes come and go with quantization and exporters, and say nothing of what is computed.
bool is_plumbing(std::string_view op) {
  constexpr std::array kPlumbing{"QuantizeLinear", "DequantizeLinear", "Cast",   "Reshape", "Transpose", "Identity", "Constant",
                                 "Shape",          "Gather",           "Concat", "Squeeze", "Unsqueeze", "Slice",    "Flatten"};
  return std::ranges::find(kPlumbing, op) != kPlumbing.end();
}

// Sets of (engine, step), joined through the names they share.
class Groups {
 public:
  explicit Groups(const std::vector<Engine>& engines) {
    for (const Engine& engine : engines) {
      first_.push_back(parent_.size());
      parent_.resize(parent_.size() + engine.steps.size());
    }
    std::iota(parent_.begin(), parent_.end(), size_t{0});
  }
  void join(const std::string& key, size_t engine, size_t step) {
    const size_t at = first_[engine] + step;
    const auto [found, is_new] = keys_.try_emplace(key, at);
    if (!is_new) parent_[root(at)] = root(found->second);
  }
  size_t of(size_t engine, size_t step) { return root(first_[engine] + step); }

 private:
  size_t root(size_t at) {
    while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
    return at;
  }
  std::vector<size_t> first_, parent_;
  std::map<std::string, size_t> keys_;
};

std::string key_of(const SourceNode& node) { return node.op + "\n" + node.name; }

void join_steps(const std::vector<Engine>& engines, Groups& groups) {
  std::map<std::string, std::set<size_t>> seen;  // key -> engines
  for (size_t e = 0; e < engines.size(); ++e)
    for (const SourceNode& node : engines[e].nodes)
      if (node.step >= 0 && !is_plumbing(node.op)) seen[key_of(node)].insert(e);
  std::set<size_t> related;  // engines that share a node with another
  for (const auto& [key, sharers] : seen)
    if (sharers.size() > 1) related.insert(sharers.begin(), sharers.end());
  for (size_t e = 0; e < engines.size(); ++e) {
    for (size_t i = 0; i < engines[e].steps.size(); ++i) {
      bool joined = false;
      for (const uint32_t node : engines[e].steps[i].source) {
        const SourceNode& source = engines[e].nodes[node];
        if (is_plumbing(source.op)) continue;
        groups.join(key_of(source), e, i);
        joined = true;
      }
      // Steps made of plumbing alone (a pooled row), and engines whose nodes nobody else knows.
      if (!joined || !related.contains(e)) groups.join("step\n" + engines[e].steps[i].name, e, i);
    }
  }
}

MatchedLayer::Side side_of(const Engine& engine, std::vector<uint32_t> steps) {
  MatchedLayer::Side side{std::move(steps), {}, "", ""};
  if (side.steps.empty()) return side;
  std::vector<double> sums(engine.steps[side.steps[0]].ms.size());
  std::set<std::string> precisions;
  for (const uint32_t index : side.steps) {
    const Step& step = engine.steps[index];
    for (size_t run = 0; run < sums.size(); ++run) sums[run] += step.ms[run];
    precisions.insert(step.precision);
    if (side.kernels.find(step.kernel) == std::string::npos) side.kernels += (side.kernels.empty() ? "" : ", ") + step.kernel;
  }
  side.time = estimate(sums);
  side.precision = fmt::format("{}", fmt::join(precisions, "+"));
  return side;
}

void match_layers(Report& report) {
  Groups groups(report.engines);
  join_steps(report.engines, groups);
  std::map<size_t, size_t> layer_of;                      // group -> index
  std::vector<std::vector<std::vector<uint32_t>>> steps;  // [layer][engine]
  for (size_t e = 0; e < report.engines.size(); ++e)
    for (size_t i = 0; i < report.engines[e].steps.size(); ++i) {
      const auto [found, is_new] = layer_of.try_emplace(groups.of(e, i), steps.size());
      if (is_new) {
        const Step& step = report.engines[e].steps[i];
        report.layers.push_back({step.name, step.category, step.block, {}});
        steps.emplace_back(report.engines.size());
      }
      steps[found->second][e].push_back(static_cast<uint32_t>(i));
    }
  for (size_t layer = 0; layer < steps.size(); ++layer)
    for (size_t e = 0; e < report.engines.size(); ++e)
      report.layers[layer].sides.push_back(side_of(report.engines[e], std::move(steps[layer][e])));
}

double ms_of(const std::vector<Share>& shares, std::string_view name) {
  const auto found = std::ranges::find(shares, name, &Share::name);
  return found == shares.end() ? 0 : found->ms;
}

// Precisions of the products, by their part of the FLOPs.
std::map<std::string, double> mix_of(const Engine& engine) {
  std::map<std::string, double> mix;
  double all = 0;
  for (const Share& share : engine.by_precision) all += share.flops;
  for (const Share& share : engine.by_precision)
    if (share.flops > 0) mix[share.name] = share.flops / all;
  return mix;
}
bool same_mix(const Engine& a, const Engine& b) {
  const auto x = mix_of(a), y = mix_of(b);
  return std::ranges::equal(x, y, [](const auto& p, const auto& q) { return p.first == q.first && std::abs(p.second - q.second) < 1e-4; });
}

Leg leg_between(const Report& report, uint32_t from, uint32_t to) {
  const Engine &a = report.engines[from], &b = report.engines[to];
  Leg leg{from, to, "", a.summary.end_to_end.median, b.summary.end_to_end.median, 0, {}, 0};
  if (leg.to_ms > 0) leg.speed_up = leg.from_ms / leg.to_ms;
  const bool fusion = (ms_of(a.by_category, "unfused attention") > 0) != (ms_of(b.by_category, "unfused attention") > 0);
  const bool precision = !same_mix(a, b);
  leg.cause = fusion && precision ? "fusion and precision" : fusion ? "fusion" : precision ? "precision" : "kernels";
  leg.unattributed_ms = leg.from_ms - leg.to_ms;
  for (const char* category : kCategories) {
    const double before = ms_of(a.by_category, category), after = ms_of(b.by_category, category);
    if (before == 0 && after == 0) continue;
    leg.parts.push_back({category, before - after});
    leg.unattributed_ms -= before - after;
  }
  return leg;
}

const Step& slowest_of(const Engine& engine, const MatchedLayer::Side& side) {
  return engine.steps[*std::ranges::max_element(side.steps, {}, [&](uint32_t i) { return engine.steps[i].time.median; })];
}

// Why a layer may be slower than it was: what its own steps say.
std::string reason_of(const Step& before, const Step& step) {
  if (step.kernel == before.kernel && step.problem == before.problem)
    return "the same kernel and problem: what runs beside it or the machine's clocks differ, not the layer";
  if (step.flops == 0 && step.out_dtype == "e4m3" && before.out_dtype != "e4m3")
    return "it rounds to e4m3 as well: the steps that read its codes gain";
  if (!step.fp8_reason.empty() && step.fp8 != "n/a") return step.fp8_reason;
  if (!step.notes.empty()) return step.notes.front();
  if (!step.refused.empty() && step.roofline.percent < 50) return step.refused.front();
  if (step.roofline.roof == "memory" && step.roofline.percent >= 50)
    return fmt::format("bound by memory: its bytes alone take {:.4g} ms", step.roofline.roof_ms);
  if (step.roofline.percent > 0) return fmt::format("{:.0f} % of the {} roof", step.roofline.percent, step.roofline.roof);
  return "";
}

void find_slower(Report& report) {
  for (uint32_t from = 0; from + 1 < report.engines.size(); ++from)
    for (uint32_t i = 0; i < report.layers.size(); ++i) {
      const MatchedLayer::Side &a = report.layers[i].sides[from], &b = report.layers[i].sides[from + 1];
      if (a.steps.empty() || b.steps.empty() || b.time.median <= a.time.median) continue;
      report.slower.push_back({from, from + 1, i, b.time.median - a.time.median, b.time.low > a.time.high,
                               reason_of(slowest_of(report.engines[from], a), slowest_of(report.engines[from + 1], b))});
    }
  std::ranges::stable_sort(report.slower, [](const SlowerLayer& a, const SlowerLayer& b) {
    return a.beyond_noise != b.beyond_noise ? a.beyond_noise : a.delta_ms > b.delta_ms;
  });
}

}  // namespace

void compare_engines(Report& report) {
  report.layers.clear(), report.waterfall.clear(), report.slower.clear();
  if (report.engines.size() < 2) return;
  match_layers(report);
  for (uint32_t i = 0; i + 1 < report.engines.size(); ++i) report.waterfall.push_back(leg_between(report, i, i + 1));
  find_slower(report);
}

}  // namespace octet::profile
