#include "compile.h"

#include <algorithm>
#include <chrono>

#include "base/version.h"
#include "formats/onnx/read.h"
#include "lower/lower.h"
#include "plan/validate.h"
#include "self_check.h"

namespace octet {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Graph load_model(const std::filesystem::path& path) { return read_onnx(path); }

std::shared_ptr<const plan::Plan> compile(Graph graph, const CompileOptions& options, CompileReport* report) {
  CompileReport ignored;
  CompileReport& r = report ? *report : ignored;
  const auto begin = std::chrono::steady_clock::now();
  graph.sort();
  plan::Source source = record_source(graph);
  r.passes = passes::run_pipeline(graph, options.passes);
  const bool unfused = std::ranges::find(options.passes.disabled, passes::kFuseAttention) != options.passes.disabled.end();
  const auto lowering = std::chrono::steady_clock::now();
  const auto plan = lower(graph, std::move(source), {.fuse_attention = !unfused});
  const auto fused = std::ranges::count_if(plan->steps, [](const auto& step) { return std::holds_alternative<plan::Attention>(step.op); });
  r.passes.push_back({std::string(passes::kFuseAttention), static_cast<int>(fused), 1e3 * seconds_since(lowering),
                      unfused ? passes::Notes{"switched off"} : passes::Notes{}});
  plan->creator = "octet " + std::string(build_version());
  plan->processor_sha256 = options.processor_sha256;
  plan::validate(*plan);  // before any kernel sees it
  r.seconds = seconds_since(begin);
  if (!options.self_check) return plan;
  const auto checked = std::chrono::steady_clock::now();
  r.self_checks = options.backend ? self_check(*plan, *options.backend, options.threads) : self_check(plan, options.threads);
  r.self_check_seconds = seconds_since(checked);
  return plan;
}

}  // namespace octet
