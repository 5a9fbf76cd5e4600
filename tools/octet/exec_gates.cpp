// What may fail a command that ran well: precision, fusion and accuracy that fell short of what was required.
#include <algorithm>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "exec.h"
#include "exec_files.h"
#include "profile/collect.h"

namespace octet::cli::exec {
namespace {

// One * matches any text; without one, a part of the name is enough.
bool matches(const std::string& pattern, const std::string& name) {
  if (pattern.find('*') == pattern.npos) return name.find(pattern) != name.npos;
  size_t at = 0;
  const std::vector<std::string> parts = split(pattern, '*');
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t found = i == 0 ? (name.starts_with(parts[0]) ? 0 : name.npos) : name.find(parts[i], at);
    if (found == name.npos) return false;
    at = found + parts[i].size();
  }
  return name.ends_with(parts.back());
}

bool selected(const profile::Engine& engine, const profile::Step& step, const std::string& pattern) {
  if (step.fp8 == "n/a") return false;
  if (pattern.empty()) return step.kind == "gemm" || step.kind == "attention";
  return matches(pattern, step.name) ||
         std::ranges::any_of(step.source, [&](uint32_t node) { return matches(pattern, engine.nodes[node].name); });
}

// "  STEP (PROBLEM, KERNEL): WHY", and the better kernels that refused.
std::string shortfall(const profile::Step& step, const std::string& why) {
  std::string text = fmt::format("\n  {} ({}, {}): {}", printable(step.name), step.problem, step.kernel, printable(why, 400));
  for (const auto& note : step.notes)
    if (note != why) text += "; " + printable(note, 400);
  return text;
}

void require_fp8(const profile::Engine& engine, const std::string& pattern) {
  std::string list;
  size_t checked = 0, fell = 0;
  for (const profile::Step& step : engine.steps) {
    if (!selected(engine, step, pattern)) continue;
    ++checked;
    if (step.fp8 == "yes") continue;
    ++fell;
    list += shortfall(step, step.fp8_reason);
  }
  if (checked == 0) {
    std::vector<std::string> names;
    for (const profile::Step& step : engine.steps)
      if (step.fp8 != "n/a") names.push_back(step.name);
    const std::string near = nearest(pattern, names);
    throw Error(Code::kUsage, fmt::format("--require-fp8: no step with a product matches `{}`", printable(pattern)),
                near.empty() ? "octet exec --explain lists the steps" : "did you mean `" + near + "`?");
  }
  if (fell > 0)
    throw Error(Code::kGate, fmt::format("--require-fp8: {} of {} steps do not multiply in FP8:{}", fell, checked, list),
                "quantize their inputs and weights (octet quantize), or narrow the pattern");
  info(fmt::format("--require-fp8: all {} steps multiply in FP8", checked));
}

void require_attention(const profile::Engine& engine) {
  std::string list;
  size_t all = 0, fell = 0;
  for (const profile::Step& step : engine.steps) {
    const bool unfused =
        step.category == "unfused attention" || (step.kind == "attention" && step.kernel.find("unfused") != step.kernel.npos);
    all += unfused || step.kind == "attention";
    if (!unfused) continue;
    ++fell;
    list += shortfall(step, "scores and probabilities go through memory");
    for (const auto& no : step.refused) list += "\n    not " + printable(no, 400);
  }
  if (all == 0) throw Error(Code::kGate, "--require-fused-attention: the engine has no attention");
  if (fell > 0)
    throw Error(Code::kGate, fmt::format("--require-fused-attention: {} of {} are not one fused step:{}", fell, all, list),
                "see `octet exec --explain` for what each kernel needs");
  info(fmt::format("--require-fused-attention: all {} are fused", all));
}

// The losses of one pair, a line an output; whether all are within the threshold.
bool judge(const Options& o, const Engine& engine, int64_t batch, const RefPair& pair) {
  const plan::Plan& plan = *engine.plan;
  Tensors tensors = make_tensors(o, plan, batch, pair.inputs, false);
  const auto context = engine.executable->new_context();
  context->reserve(batch);
  run_engine(engine, *context, batch, tensors);
  bool within = true;
  for (const auto& [name, path] : pair.outputs) {
    const auto output = std::ranges::find(plan.outputs, name, &plan::Binding::name);
    if (output == plan.outputs.end()) {
      std::vector<std::string> names;
      for (const auto& binding : plan.outputs) names.push_back(binding.name);
      throw Error(Code::kUsage, fmt::format("--loadRefOutputs: the engine has no output `{}`", printable(name)),
                  "outputs: " + join(names, ", "));
    }
    const HostTensor& actual = tensors.outputs[static_cast<size_t>(output - plan.outputs.begin())];
    const HostTensor reference = read_values(path, name, actual.dtype(), actual.dims(), true);
    const double loss = profile::loss(o.accuracy.loss, to_f32(actual), to_f32(reference), o.accuracy.tolerance);
    const bool ok = loss <= o.accuracy.threshold;
    within &= ok;
    line(ok ? 'I' : 'W',
         fmt::format("Accuracy of {}: {} loss {:.6g}, threshold {:g}", printable(name), o.accuracy.name, loss, o.accuracy.threshold));
  }
  return within;
}

}  // namespace

void require_realised(const Options& o, const Engine& engine, int64_t batch) {
  const bool fp8 = o.flags.has("--require-fp8"), attention = o.flags.has("--require-fused-attention");
  if (!fp8 && !attention) return;
  const profile::Engine described = profile::describe(*engine.plan, *engine.executable, batch);
  if (fp8) require_fp8(described, o.flags.text("--require-fp8"));
  if (attention) require_attention(described);
}

void require_accuracy(const Options& o, const Engine& engine, int64_t batch) {
  size_t beyond = 0;
  for (const RefPair& pair : o.accuracy.pairs) beyond += !judge(o, engine, batch, pair);
  if (beyond > 0)
    throw Error(Code::kGate,
                fmt::format("the {} loss of {} of {} reference pairs is beyond {:g}", o.accuracy.name, beyond, o.accuracy.pairs.size(),
                            o.accuracy.threshold),
                "octet compare shows where two models part");
}

}  // namespace octet::cli::exec
