// octet check: every strong-typing and Q/DQ violation of an ONNX file at once.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "compile.h"
#include "console.h"
#include "placement_advice.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string model;
  bool json = false;
};

nlohmann::json to_json(const TypeViolation& v) {
  nlohmann::json operands = nlohmann::json::array();
  for (const auto& o : v.operands) operands.push_back({{"tensor", o.tensor}, {"type", name_of(o.dtype)}, {"producer", o.producer}});
  return {{"node", v.node},
          {"op", v.op},
          {"rule", v.rule},
          {"what", v.what},
          {"fix", v.fix},
          {"operands", operands},
          {"mixes_floats", v.mixes_floats()}};
}

int check(const Options& o) {
  Graph graph = load_model(o.model);
  const auto violations = infer_types(graph);
  const auto advice = placement_advice(graph);
  if (o.json) {
    nlohmann::json out{{"file", o.model}, {"nodes", graph.node_count()}, {"violations", nlohmann::json::array()}};
    out["advice"] = nlohmann::json::array();
    for (const auto& a : advice) out["advice"].push_back({{"node", a.node}, {"what", a.what}, {"fix", a.fix}});
    for (const auto& v : violations) out["violations"].push_back(to_json(v));
    print_out(out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    for (const auto& v : violations) {
      print_out(fmt::format("{} ({}): {} [{}]\n", printable(v.node), v.op, v.what, v.rule));
      for (const auto& operand : v.operands) print_out("    " + to_string(operand) + "\n");
      if (!v.fix.empty()) print_out("  fix: " + v.fix + "\n");
    }
    print_out(fmt::format("{}: {} nodes, opset {}, {} violation{}\n", o.model, graph.node_count(), graph.opset, violations.size(),
                          violations.size() == 1 ? "" : "s"));
    if (!advice.empty())
      print_out(fmt::format("  {} legal Q/DQ pair{} cost{} a step each, the first: {}: {}\n    {}\n", advice.size(),
                            advice.size() == 1 ? "" : "s", advice.size() == 1 ? "s" : "", advice[0].node, advice[0].what, advice[0].fix));
    const auto mixed = std::ranges::count_if(violations, [](const auto& v) { return v.mixes_floats(); });
    if (mixed > 0)
      print_out(fmt::format("  {} of them mix f32 with a 16-bit float: `octet fix-types {} -o fixed.onnx` mends those\n", mixed, o.model));
  }
  return violations.empty() ? 0 : static_cast<int>(Code::kInvalid);
}

}  // namespace

Run add_check(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->model, "ONNX file")->required();
  app.add_flag("--json", o->json, "machine-readable output");
  return [o] { return check(*o); };
}

}  // namespace octet::cli
