// octet fix-types: an ONNX file whose float types contradict each other, mended. Next: passes/fix_types.h.
#include "passes/fix_types.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "compile.h"
#include "console.h"
#include "formats/onnx/write.h"
#include "passes/cast_floats.h"
#include "passes/dynamic_batch.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string model, output, precision;
  std::vector<std::string> renames;
  bool json = false, dynamic_batch = false;
};

// "old=new", for graph inputs and outputs.
std::string rename(Graph& graph, const std::string& spec) {
  const auto at = spec.find('=');
  if (at == std::string::npos || at == 0 || at + 1 == spec.size())
    throw Error(Code::kUsage, fmt::format("--rename {}: not of the form OLD=NEW", printable(spec)), "--rename x=text_input");
  const std::string from = spec.substr(0, at), to = spec.substr(at + 1);
  const ValueId id = graph.find(from);
  const bool is_input = std::find(graph.inputs.begin(), graph.inputs.end(), id) != graph.inputs.end();
  if (id == kNone || (!is_input && !graph.is_output(id))) {
    std::vector<std::string> names;
    for (const auto* ids : {&graph.inputs, &graph.outputs})
      for (const ValueId one : *ids) names.push_back(graph.value(one).name);
    throw Error(Code::kUsage, fmt::format("--rename: `{}` is no input or output of the model", printable(from)),
                "they are: " + join(names, " "));
  }
  if (graph.find(to) != kNone)
    throw Error(Code::kUsage, fmt::format("--rename: there is already a tensor `{}`", printable(to)),
                "choose a name that the model does not use");
  graph.rename(id, to);
  return fmt::format("{} `{}` renamed `{}`", is_input ? "input" : "output", printable(from), printable(to));
}

void print(const Options& o, const passes::TypeRepair& repair) {
  if (o.json) {
    nlohmann::json out{
        {"file", o.model}, {"output", repair.violations.empty() ? o.output : ""}, {"changes", repair.changes}, {"notes", repair.notes}};
    out["violations"] = nlohmann::json::array();
    for (const auto& v : repair.violations)
      out["violations"].push_back({{"node", v.node}, {"op", v.op}, {"rule", v.rule}, {"what", v.what}, {"fix", v.fix}});
    print_out(out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    return;
  }
  for (const auto& change : repair.changes) print_out(change + "\n");
  for (const auto& note : repair.notes) print_out("note: " + note + "\n");
  for (const auto& v : repair.violations)
    print_out(fmt::format("still wrong: {} ({}): {} [{}]\n  fix: {}\n", printable(v.node), v.op, v.what, v.rule, v.fix));
  const auto n = repair.changes.size();
  print_out(fmt::format("{}: {} change{}, {} violation{} left{}\n", o.model, n, n == 1 ? "" : "s", repair.violations.size(),
                        repair.violations.size() == 1 ? "" : "s",
                        repair.violations.empty() ? "; written to " + o.output : "; nothing written"));
}

// Every f32 tensor becomes `to`; what was of two float types then is of one.
std::string narrow(Graph& graph, DType to) {
  infer_types(graph);
  passes::cast_floats(graph, to);
  return fmt::format("every f32 tensor, graph inputs and outputs too: f32 -> {}", to);
}

int fix_types(const Options& o) {
  Graph graph = load_model(o.model);
  std::vector<std::string> narrowed;
  if (!o.precision.empty()) narrowed.push_back(narrow(graph, o.precision == "fp16" ? DType::f16 : DType::bf16));
  passes::TypeRepair repair = passes::fix_types(graph);
  repair.changes.insert(repair.changes.begin(), narrowed.begin(), narrowed.end());
  if (o.dynamic_batch && repair.violations.empty()) {
    const auto changes = passes::make_batch_dynamic(graph);
    repair.changes.insert(repair.changes.end(), changes.begin(), changes.end());
    if (changes.empty()) repair.notes.push_back("the batch was dynamic already");
  }
  for (const auto& spec : o.renames) repair.changes.push_back(rename(graph, spec));
  if (repair.violations.empty()) write_onnx(graph, o.output);
  print(o, repair);
  return repair.violations.empty() ? 0 : static_cast<int>(Code::kInvalid);
}

}  // namespace

Run add_fix_types(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->model, "ONNX file")->required();
  app.add_option("-o,--output", o->output, "ONNX file to write")->required();
  app.add_option("--rename", o->renames, "OLD=NEW: another name for an input or output (may be repeated)");
  app.add_flag("--dynamic-batch", o->dynamic_batch, "make a batch size that is baked into the model a symbol");
  app.add_option("--precision", o->precision, "what f32 becomes everywhere: for models that change between two float types")
      ->check(CLI::IsMember({"fp16", "bf16"}));
  app.add_flag("--json", o->json, "machine-readable output");
  return [o] { return fix_types(*o); };
}

}  // namespace octet::cli
