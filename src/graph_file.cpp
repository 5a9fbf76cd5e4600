#include "graph_file.h"

#include <algorithm>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "formats/onnx/read.h"
#include "formats/onnx/write.h"
#include "formats/safetensors.h"
#include "ir/text.h"
#include "ops/list.h"

namespace octet {
namespace {

constexpr int64_t kInline = 64;  // elements that a reader still takes in

std::filesystem::path side_of(std::filesystem::path path) { return path += ".safetensors"; }

// Names that JSON can hold.
bool is_plain(const std::string& name) {
  return !name.empty() && name != "__metadata__" && std::ranges::all_of(name, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

Graph load_text(const std::filesystem::path& path) {
  std::optional<Safetensors> side;
  const auto tensor = [&](const std::string& name) -> HostTensor {
    if (!side) side = Safetensors::open(side_of(path));
    return side->at(name);
  };
  return with_context([&] { return "reading " + path.string(); }, [&] { return parse_graph(read_text(path), find_op, tensor); });
}

void save_text(const Graph& graph, const std::filesystem::path& path) {
  std::vector<TensorSpec> specs;
  PrintOptions options{kInline, {}};
  options.aside = [&](const std::string& name, const HostTensor& tensor) {
    if (!is_plain(name)) return false;
    specs.push_back({name, tensor.dtype(), tensor.dims()});
    return true;
  };
  const std::string text = print(graph, options);
  if (!specs.empty())  // first: a text without its tensors is of no use, tensors without a text do no harm
    write_safetensors(side_of(path), specs, {}, [&](size_t i) { return *graph.constant_of(graph.find(specs[i].name)); });
  write_text(path, text);
}

}  // namespace

bool is_graph_text(const std::filesystem::path& path) { return path.extension() == ".ir"; }

Graph load_graph(const std::filesystem::path& path) { return is_graph_text(path) ? load_text(path) : read_onnx(path); }

void save_graph(Graph& graph, const std::filesystem::path& path) {
  infer_types(graph);
  is_graph_text(path) ? save_text(graph, path) : write_onnx(graph, path);
}

}  // namespace octet
