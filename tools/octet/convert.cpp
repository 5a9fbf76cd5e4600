// octet convert: a graph from one file form to the other: ONNX, or text that can be read, edited and turned back.
#include "base/error.h"
#include "console.h"
#include "graph_file.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string in, out;
};

int convert(const Options& o) {
  if (std::filesystem::path(o.in) == std::filesystem::path(o.out)) throw Error(Code::kUsage, "input and output are one file");
  Graph graph = load_graph(o.in);
  save_graph(graph, o.out);
  say("wrote {}", o.out);
  return 0;
}

}  // namespace

Run add_convert(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("in", o->in, "MODEL.onnx or MODEL.ir")->required()->type_name("PATH");
  app.add_option("out", o->out, "MODEL.ir (big constants go to MODEL.ir.safetensors) or MODEL.onnx")->required()->type_name("PATH");
  return [o] { return convert(*o); };
}

}  // namespace octet::cli
