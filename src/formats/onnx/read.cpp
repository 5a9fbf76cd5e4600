#include "formats/onnx/read.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/onnx/attribute.h"
#include "formats/onnx/schema.h"
#include "formats/onnx/tensor.h"
#include "formats/onnx/types.h"
#include "formats/onnx/wire.h"
#include "ops/constant.h"
#include "ops/list.h"

namespace octet {
namespace onnx {
namespace {

// A value costs the graph some 400 bytes but a hostile file only 5, so their number is bounded.
constexpr size_t kMaxValues = size_t{1} << 22;
constexpr size_t kMaxAttributes = 256;

// A NodeProto, its attributes still in the file.
struct NodeView {
  std::vector<std::string_view> inputs, outputs;
  std::string_view name, op_type, domain, overload;
  std::vector<WireReader> attributes;
  int64_t index = 0;  // in the file
  bool is_constant() const { return op_type == "Constant" && domain.empty(); }
  std::string label() const { return name.empty() ? fmt::format("{}_{}", op_type, index) : std::string(name); }
};

std::string_view canonical(std::string_view domain) { return domain == "ai.onnx" ? std::string_view{} : domain; }

// Calls fn(nested message) for each field `number` of `message`.
template <class Fn>
void each(WireReader message, uint32_t number, Fn&& fn) {
  while (message.next())
    if (message.field() == number) fn(message.message());
}

void read_name(const WireReader& reader, std::vector<std::string_view>& names) {
  if (names.size() == kMaxValues) reader.damaged("a node has too many inputs or outputs");
  names.push_back(reader.text());
}

// Into `node`, so that its vectors keep their room from node to node.
void read_node(WireReader reader, int64_t index, NodeView& node) {
  node.inputs.clear(), node.outputs.clear(), node.attributes.clear();
  node.name = node.op_type = node.domain = node.overload = {};
  node.index = index;
  while (reader.next()) {
    switch (reader.field()) {
      case node::kInput:
        read_name(reader, node.inputs);
        break;
      case node::kOutput:
        read_name(reader, node.outputs);
        break;
      case node::kName:
        node.name = reader.text();
        break;
      case node::kOpType:
        node.op_type = reader.text();
        break;
      case node::kDomain:
        node.domain = canonical(reader.text());
        break;
      case node::kOverload:
        node.overload = reader.text();
        break;
      case node::kAttribute:
        if (node.attributes.size() == kMaxAttributes) reader.damaged("a node has too many attributes");
        node.attributes.push_back(reader.message());
        break;
      default:
        break;
    }
  }
  // "" at the end means what its absence means.
  while (!node.inputs.empty() && node.inputs.back().empty()) node.inputs.pop_back();
  while (!node.outputs.empty() && node.outputs.back().empty()) node.outputs.pop_back();
}

const OpDef& find_def(const NodeView& node) {
  // Domain "octet" holds internal operators: no file may name them.
  const OpDef* def = node.domain == "octet" || !node.overload.empty() ? nullptr : find_op(node.op_type, node.domain);
  if (def) return *def;
  std::vector<std::string> names;
  for (const OpDef* op : all_ops())
    if (op->domain != "octet") names.emplace_back(op->name);
  const std::string hint = node.op_type.size() > 64 ? "" : nearest(node.op_type, names);
  throw Error(Code::kUnsupported,
              fmt::format("op {} of domain `{}` at node `{}` is not supported", printable(node.op_type),
                          node.domain.empty() ? "ai.onnx" : printable(node.domain), printable(node.label())),
              hint.empty() ? "" : fmt::format("the nearest op octet has is {}", hint));
}

std::pair<std::string, std::string> read_entry(WireReader reader) {
  std::pair<std::string, std::string> out;
  while (reader.next()) {
    if (reader.field() == entry::kKey) out.first = reader.text();
    if (reader.field() == entry::kValue) out.second = reader.text();
  }
  return out;
}

class ModelReader {
 public:
  explicit ModelReader(Source source) : source_(std::move(source)) {}
  Graph read(std::span<const std::byte> file);

 private:
  WireReader read_model(WireReader reader);
  void read_opset(WireReader reader);
  void read_graph_header(WireReader reader);
  void add_initializer(const WireReader& message);
  void add_input(const WireReader& message);
  void declare_outputs(const WireReader& at);
  void add_node();
  ValueId use(std::string_view value_name);
  void add_output(WireReader reader);
  template <class Fn>
  void each_node(const WireReader& graph, Fn&& fn);
  Op op_of_node() {
    const OpDef& def = find_def(node_);
    return read_op(def, make_attributes(node_.op_type, node_.domain), graph_.opset, node_.attributes, source_);
  }
  std::string new_name(std::string_view value_name, const WireReader& at) const;

  Source source_;
  Graph graph_;
  NodeView node_;  // the node being read
  int64_t inputs_with_data_ = 0;
  bool unsorted_ = false;
  OddSymbols symbols_;
};

Graph ModelReader::read(std::span<const std::byte> file) {
  const FreshDims fresh(0);  // so that names of dimensions depend on the file alone
  const WireReader graph = read_model(WireReader(file));
  read_graph_header(graph);
  each(graph, graph::kInitializer, [&](const WireReader& m) { add_initializer(m); });
  each(graph, graph::kInput, [&](const WireReader& m) { add_input(m); });
  if (inputs_with_data_ > 0) log(Level::kInfo, "{} graph inputs have an initializer: treated as constants", inputs_with_data_);
  each_node(graph, [&](const WireReader& m) { declare_outputs(m); });
  each_node(graph, [&](const WireReader&) { add_node(); });
  each(graph, graph::kOutput, [&](const WireReader& m) { add_output(m); });
  std::vector<ValueId> outputs = graph_.outputs;
  std::ranges::sort(outputs);
  const auto twice = std::ranges::adjacent_find(outputs);
  if (twice != outputs.end()) fail(Code::kInvalid, "`{}` is a graph output twice", printable(graph_.value(*twice).name));
  if (outputs.empty()) fail(Code::kInvalid, "the model has no outputs");
  if (unsorted_) graph_.sort();
  return std::move(graph_);
}

template <class Fn>
void ModelReader::each_node(const WireReader& graph, Fn&& fn) {
  int64_t index = 0;
  each(graph, graph::kNode, [&](const WireReader& message) {
    read_node(message, index++, node_);
    with_context([&] { return fmt::format("reading node `{}` ({})", printable(node_.label()), printable(node_.op_type)); },
                 [&] { fn(message); });
  });
}

// Reads all but the graph, and returns that: opset_import comes after it in the file.
WireReader ModelReader::read_model(WireReader reader) {
  std::optional<WireReader> graph;
  int64_t ir_version = 0;
  graph_.opset = 0;
  while (reader.next()) {
    switch (reader.field()) {
      case model::kIrVersion:
        ir_version = reader.int64();
        break;
      case model::kProducerName:
        graph_.producer = reader.text();
        break;
      case model::kOpsetImport:
        read_opset(reader.message());
        break;
      case model::kFunctions:
        fail(Code::kUnsupported, "model-local functions are not supported; export the model with them inlined");
      case model::kMetadata:
        if (!graph_.metadata.insert(read_entry(reader.message())).second) reader.damaged("a metadata key is given twice");
        break;
      case model::kGraph:
        if (graph) reader.damaged("the model has two graphs");
        graph = reader.message();
        break;
      default:
        break;
    }
  }
  if (!graph) fail(Code::kInvalid, "the file holds no ONNX graph");
  if (ir_version < 1) fail(Code::kInvalid, "the model has no ir_version");
  if (ir_version > kMaxIrVersion) fail(Code::kUnsupported, "the model's ir_version is {}; octet reads up to {}", ir_version, kMaxIrVersion);
  if (graph_.opset == 0) fail(Code::kInvalid, "the model imports no opset of ai.onnx");
  return *graph;
}

void ModelReader::read_opset(WireReader reader) {
  std::string_view domain;
  int64_t version = 0;
  while (reader.next()) {
    if (reader.field() == opset_id::kDomain) domain = reader.text();
    if (reader.field() == opset_id::kVersion) version = reader.int64();
  }
  if (!canonical(domain).empty()) return;
  if (version < 1 || version > kMaxOpset) {
    throw Error(Code::kUnsupported, fmt::format("the model uses opset {} of ai.onnx; octet reads 1 to {}", version, kMaxOpset),
                "export the model at opset 20 to 25");
  }
  if (graph_.opset != 0 && graph_.opset != version) fail(Code::kInvalid, "the model imports two opsets of ai.onnx");
  graph_.opset = static_cast<int>(version);
}

void ModelReader::read_graph_header(WireReader reader) {
  while (reader.next()) {
    if (reader.field() == graph::kName) graph_.name = reader.text();
    if (reader.field() == graph::kSparseInitializer) fail(Code::kUnsupported, "sparse initializers are not supported");
  }
}

std::string ModelReader::new_name(std::string_view value_name, const WireReader& at) const {
  std::string name(value_name);
  if (name.empty()) at.damaged("a value has no name");
  if (graph_.value_count() == kMaxValues) fail(Code::kUnsupported, "the model has more than {} values", kMaxValues);
  if (graph_.find(name) != kNone)
    fail(Code::kInvalid, "value `{}` is defined twice, the second time at byte {}", printable(name), at.offset());
  return name;
}

void ModelReader::add_initializer(const WireReader& message) {
  NamedTensor read = read_tensor(message, source_);
  graph_.add_constant(new_name(read.name, message), std::move(read.tensor));
}

void ModelReader::add_input(const WireReader& message) {
  std::string name;
  std::optional<WireReader> type;
  for (WireReader reader = message; reader.next();) {
    if (reader.field() == value_info::kName) name = reader.text();
    if (reader.field() == value_info::kType) type = reader.message();
  }
  if (graph_.constant_of(graph_.find(name))) return static_cast<void>(++inputs_with_data_);
  with_context([&] { return fmt::format("reading graph input `{}`", printable(name)); },
               [&] {
                 if (!type) fail(Code::kInvalid, "the input has no type");
                 graph_.add_input(new_name(name, message), read_type(*type, symbols_));
               });
}

void ModelReader::declare_outputs(const WireReader& at) {
  if (node_.outputs.empty()) fail(Code::kInvalid, "the node has no outputs");
  if (node_.is_constant()) {
    if (node_.outputs.size() != 1 || !node_.inputs.empty()) fail(Code::kInvalid, "a Constant has one output and no inputs");
    graph_.add_constant(new_name(node_.outputs[0], at), op_of_node().as<Constant>()->tensor());
    return;
  }
  for (const std::string_view output : node_.outputs)
    if (!output.empty()) graph_.add_value(new_name(output, at));
}

void ModelReader::add_node() {
  if (node_.is_constant()) return;
  Node node;
  node.name = node_.name;
  node.source = {node_.label()};
  node.op = op_of_node();
  for (const std::string_view input : node_.inputs) node.inputs.push_back(use(input));
  for (const std::string_view output : node_.outputs) node.outputs.push_back(output.empty() ? kNone : graph_.find(std::string(output)));
  if (node_.domain == "trt")
    graph_.import_notes.push_back(fmt::format("`{}`: trt.{} -> {}", printable(node_.label()), printable(node_.op_type), node.op.name()));
  graph_.add_node(std::move(node));
}

ValueId ModelReader::use(std::string_view value_name) {
  if (value_name.empty()) return kNone;
  const ValueId id = graph_.find(std::string(value_name));
  if (id == kNone) fail(Code::kInvalid, "input `{}` is produced by no node, input or initializer", printable(value_name));
  const Value& value = graph_.value(id);
  if (!value.type && value.producer == kNone) unsorted_ = true;  // only inputs and constants have a type yet
  return id;
}

void ModelReader::add_output(WireReader reader) {
  std::string name;
  while (reader.next())
    if (reader.field() == value_info::kName) name = reader.text();
  const ValueId id = graph_.find(name);
  if (id == kNone) fail(Code::kInvalid, "graph output `{}` is produced by no node, input or initializer", printable(name));
  graph_.mark_output(id);
}

}  // namespace
}  // namespace onnx

Graph read_onnx(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return with_context([&] { return fmt::format("reading {}", printable(path.string())); },
                      [&] { return read_onnx(file->bytes(), file, path.has_parent_path() ? path.parent_path() : "."); });
}

Graph read_onnx(std::span<const std::byte> model, std::shared_ptr<const void> owner, const std::filesystem::path& directory) {
  return onnx::ModelReader({std::move(owner), onnx::ExternalData(directory)}).read(model);
}

}  // namespace octet
