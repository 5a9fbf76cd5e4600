// What exec prints and writes: trtexec's report and files, and octet's additions to them.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "console.h"
#include "exec.h"
#include "profile/timing_report.h"
#include "profile/work.h"

namespace octet::cli::exec {
namespace {

using Json = nlohmann::ordered_json;

std::string dims_of(const HostTensor& tensor) { return fmt::format("{}", fmt::join(tensor.dims(), "x")); }

void write_file(const std::string& path, const std::string& text, const char* what) {
  if (path.empty()) return;
  write_text(path, text);
  info(fmt::format("{} written to {}", what, path));
}

// Which share of the time went to steps of which type: what the engine really computes in.
void print_precision(const Engine& engine, const profile::LayerProfile& profile) {
  std::map<std::string, double> ms;
  for (size_t i = 0; i < profile.layers.size(); ++i)
    ms[profile::work_of(*engine.plan, engine.plan->steps[i].op, profile.batch).precision] += profile.layers[i].median();
  double total = 0;
  for (const auto& [precision, time] : ms) total += time;
  std::vector<std::pair<double, std::string>> shares;
  for (const auto& [precision, time] : ms) shares.emplace_back(time, precision);
  std::ranges::sort(shares, std::greater());
  std::vector<std::string> parts;
  for (const auto& [time, precision] : shares) parts.push_back(fmt::format("{} {:.1f} %", precision, total > 0 ? 100 * time / total : 0));
  info("Realised precision by time: " + join(parts, ", "));
}

// trtexec's columns, then ours: the problem and the kernel.
void print_profile(const profile::LayerProfile& profile) {
  const double all = profile.total();
  const size_t runs = profile.layers.empty() ? 0 : profile.layers.front().ms.size();
  double medians = 0;
  const auto row = [&](double time, double median, const std::string& what) {
    info(fmt::format("{:>12.4f} {:>13.4f} {:>12.4f} {:>9.1f}   {}", time, runs ? time / static_cast<double>(runs) : 0, median,
                     all > 0 ? 100 * time / all : 0, what));
  };
  info("");
  info(fmt::format("=== Profile ({} iterations ) ===", runs));
  info("    Time(ms)      Avg.(ms)   Median(ms)   Time(%)   Layer  Problem  Kernel");
  for (const auto& layer : profile.layers) {
    row(layer.total(), layer.median(), fmt::format("{}  {}  {}", printable(layer.name), layer.problem, layer.kernel));
    medians += layer.median();
  }
  row(all, medians, "Total");
  info(fmt::format("The layers of a run add up to {:.6g} ms; the runs without a profile between them took {:.6g} ms ({:+.1f} %).",
                   profile.steps_ms(), profile.plain_ms, profile.plain_ms > 0 ? 100 * (profile.steps_ms() / profile.plain_ms - 1) : 0));
  info("");
}

std::string output_json(const plan::Plan& plan, const Tensors& tensors) {
  Json out = Json::array();
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    const HostTensor& tensor = tensors.outputs[i];
    Json values = Json::array();
    for (int64_t v = 0; v < tensor.count(); ++v)
      is_float(tensor.dtype()) ? values.push_back(tensor.at(v)) : values.push_back(tensor.at_int(v));
    out.push_back({{"name", plan.outputs[i].name}, {"dimensions", dims_of(tensor)}, {"values", std::move(values)}});
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void print_outputs(const plan::Plan& plan, const Tensors& tensors) {
  info("Output Tensors:");
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    const HostTensor& tensor = tensors.outputs[i];
    std::string values;
    for (int64_t v = 0; v < tensor.count(); ++v) values += fmt::format("{}{:.6g}", v ? " " : "", tensor.at(v));
    info(fmt::format("{}: ({})", printable(plan.outputs[i].name), dims_of(tensor)));
    info(values);
  }
}

void write_raw(const plan::Binding& binding, const HostTensor& tensor, const char* role) {
  std::string name = binding.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.') c = '_';
  const std::string path = fmt::format("{}.{}.{}.{}.raw", name, role, dims_of(tensor), name_of(tensor.dtype()));
  write_text(path, {reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size()});
  info(fmt::format("{} `{}` written to {}", role, printable(binding.name), path));
}

}  // namespace

void report(const Options& o, const Engine& engine, int64_t batch, const Measured& m) {
  const plan::Plan& plan = *engine.plan;
  for (const auto& text : m.memory) info(text);
  const profile::ReportOptions options{batch, o.flags.integer("--avgRuns", 10), o.streams};
  for (const auto& [level, text] : profile::report_lines(m.timing, o.timing, options))
    if (level != 'V' || o.verbose) line(level, text);
  print_precision(engine, m.profile);
  if (o.flags.has("--dumpProfile")) print_profile(m.profile);
  if (o.flags.has("--dumpOutput")) print_outputs(plan, m.tensors);
  write_file(o.flags.text("--exportTimes"), profile::times_json(m.timing), "Times");
  if (o.flags.has("--exportOutput")) write_file(o.flags.text("--exportOutput"), output_json(plan, m.tensors), "Outputs");
  if (o.flags.has("--exportProfile")) write_file(o.flags.text("--exportProfile"), profile::to_json(m.profile), "Profile");
  if (!o.flags.has("--dumpRawBindingsToFile")) return;
  for (size_t i = 0; i < plan.inputs.size(); ++i) write_raw(plan.inputs[i], m.tensors.inputs[i], "input");
  for (size_t i = 0; i < plan.outputs.size(); ++i) write_raw(plan.outputs[i], m.tensors.outputs[i], "output");
}

void report_layers(const Options& o, const Engine& engine, int64_t batch) {
  const std::string path = o.flags.text("--exportLayerInfo");
  if (path.empty() && !o.flags.has("--dumpLayerInfo")) return;
  const Json json = profile::layer_info(*engine.plan, *engine.executable, {o.verbosity, batch, o.compat});
  if (o.flags.has("--dumpLayerInfo")) {
    info("Layer Information:");
    if (o.verbosity == profile::Verbosity::kDetailed) print_out(profile::dump_json(json));
    for (const Json& layer : json["Layers"])
      if (layer.is_string()) info(printable(layer.get<std::string>()));
  }
  write_file(path, profile::dump_json(json), "Layer information");
}

}  // namespace octet::cli::exec
