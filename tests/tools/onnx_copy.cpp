// onnx_copy IN OUT [--external]: reads an ONNX file, checks its types and writes it again, for tests/e2e/onnx_roundtrip.py.
// Exit codes are those of the CLI (base/error.h).
#include <cstdio>
#include <string_view>

#include "base/error.h"
#include "formats/onnx/read.h"
#include "formats/onnx/write.h"
#include "ir/graph.h"

int main(int argc, char** argv) try {
  if (argc < 3) return std::fputs("usage: onnx_copy IN OUT [--external]\n", stderr), 2;
  octet::Graph graph = octet::read_onnx(argv[1]);
  octet::check_types(graph);
  octet::write_onnx(graph, argv[2], {.external = argc > 3 && argv[3] == std::string_view("--external")});
} catch (const octet::Error& error) {
  std::fprintf(stderr, "onnx_copy: %s\n", error.render().c_str());
  return static_cast<int>(error.code());
}
