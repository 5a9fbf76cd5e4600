// octet extract: the part of a model between given tensors, as a model of its own. Next: passes/extract.h.
#include "passes/extract.h"

#include "base/text.h"
#include "console.h"
#include "graph_file.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string model, output;
  std::vector<std::string> from, to;
};

int extract(const Options& o) {
  Graph graph = load_graph(o.model);
  infer_types(graph);
  passes::Extracted part = passes::extract(graph, o.from, o.to);
  const size_t nodes = part.graph.node_count();
  save_graph(part.graph, o.output);
  if (!o.from.empty() && !part.kept_inputs.empty())
    say("the part also reads the model's own input{} {}", part.kept_inputs.size() == 1 ? "" : "s", printable(join(part.kept_inputs, ", ")));
  say("{}: {} of {} nodes, {} input{}, {} output{}", o.output, nodes, graph.node_count(), part.graph.inputs.size(),
      part.graph.inputs.size() == 1 ? "" : "s", part.graph.outputs.size(), part.graph.outputs.size() == 1 ? "" : "s");
  return 0;
}

}  // namespace

Run add_extract(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->model, "ONNX file")->required()->type_name("PATH");
  app.add_option("--from", o->from, "a tensor that becomes an input (may be repeated; default: the model's inputs)")
      ->type_name("TENSOR")
      ->allow_extra_args(false);
  app.add_option("--to", o->to, "a tensor that becomes an output (may be repeated; default: the model's outputs)")
      ->type_name("TENSOR")
      ->allow_extra_args(false);
  app.add_option("-o,--output", o->output, "ONNX file to write")->required()->type_name("PATH");
  return [o] { return extract(*o); };
}

}  // namespace octet::cli
