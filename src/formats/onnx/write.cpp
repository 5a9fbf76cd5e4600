#include "formats/onnx/write.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "formats/onnx/attribute.h"
#include "formats/onnx/schema.h"
#include "formats/onnx/tensor.h"
#include "formats/onnx/types.h"
#include "formats/onnx/wire.h"

namespace octet {
namespace onnx {
namespace {

constexpr size_t kInline = 1024;   // tensors up to this many bytes never go to the data file
constexpr uint64_t kAlign = 4096;  // of tensors in the data file: a page, as ONNX recommends

class ModelWriter {
 public:
  // `data_name` empty: every tensor inline.
  ModelWriter(const Graph& graph, std::string data_name) : graph_(graph), data_name_(std::move(data_name)) {}
  WireWriter model();
  bool has_data() const { return !data_.empty(); }
  void write_data(AtomicFile& file) const;

 private:
  void mark_used();
  int64_t ir_version() const;
  WireWriter graph_message();
  WireWriter node_message(const Node& node) const;
  WireWriter tensor_message(const Value& value);
  WireWriter value_info(const Value& value) const;

  const Graph& graph_;
  std::string data_name_;
  std::vector<bool> used_;                        // by ValueId
  std::set<std::string> domains_;                 // of the nodes, but ""
  std::vector<std::span<const std::byte>> data_;  // of the external file, each kAlign-ed
  uint64_t data_size_ = 0;
};

uint64_t aligned(uint64_t size) { return (size + kAlign - 1) / kAlign * kAlign; }

void ModelWriter::mark_used() {
  used_.assign(graph_.value_count(), false);
  const auto use = [&](ValueId id) {
    if (id != kNone) used_.at(static_cast<size_t>(id)) = true;
  };
  std::ranges::for_each(graph_.outputs, use);
  for (size_t i = 0; i < graph_.node_count(); ++i) {
    const Node& node = graph_.node(static_cast<NodeId>(i));
    if (node.dead) continue;
    std::ranges::for_each(node.inputs, use);
    std::ranges::for_each(node.outputs, use);
    domains_.emplace(node.op.def().domain);
  }
  domains_.erase("");
}

// The oldest that has all it needs, but no older than 10: it is what the most readers know.
int64_t ModelWriter::ir_version() const {
  if (graph_.opset >= 25) return 13;
  bool has_e8m0 = false;
  for (size_t i = 0; i < used_.size(); ++i) {
    const Value& value = graph_.value(static_cast<ValueId>(i));
    has_e8m0 = has_e8m0 || (used_[i] && value.type && value.type->dtype == DType::e8m0);
  }
  return graph_.opset == 24 || has_e8m0 ? 12 : 10;
}

WireWriter ModelWriter::model() {
  mark_used();
  WireWriter out;
  out.int64(model::kIrVersion, ir_version());
  out.text(model::kProducerName, "octet");
  out.text(model::kProducerVersion, build_version());
  out.message(model::kGraph, graph_message());
  domains_.emplace("");
  for (const std::string& domain : domains_) {
    WireWriter import;
    import.text(opset_id::kDomain, domain);
    import.int64(opset_id::kVersion, domain.empty() ? graph_.opset : 1);
    out.message(model::kOpsetImport, import);
  }
  for (const auto& [key, value] : graph_.metadata) {
    WireWriter entry;
    entry.text(entry::kKey, key);
    entry.text(entry::kValue, value);
    out.message(model::kMetadata, entry);
  }
  return out;
}

WireWriter ModelWriter::graph_message() {
  WireWriter out;
  for (size_t i = 0; i < graph_.node_count(); ++i) {
    const Node& node = graph_.node(static_cast<NodeId>(i));
    if (!node.dead) out.message(graph::kNode, node_message(node));
  }
  out.text(graph::kName, graph_.name.empty() ? "main_graph" : graph_.name);  // ONNX wants one
  for (size_t i = 0; i < used_.size(); ++i) {
    const Value& value = graph_.value(static_cast<ValueId>(i));
    if (used_[i] && value.constant) out.message(graph::kInitializer, tensor_message(value));
  }
  for (const ValueId id : graph_.inputs) out.message(graph::kInput, value_info(graph_.value(id)));
  for (const ValueId id : graph_.outputs) {
    OCTET_CHECK(graph_.value(id).type.has_value(), graph_.value(id).name);
    out.message(graph::kOutput, value_info(graph_.value(id)));
  }
  const std::set<ValueId> outputs(graph_.outputs.begin(), graph_.outputs.end());
  for (size_t i = 0; i < used_.size(); ++i) {
    const Value& value = graph_.value(static_cast<ValueId>(i));
    if (used_[i] && value.type && value.producer != kNone && !outputs.contains(static_cast<ValueId>(i)))
      out.message(graph::kValueInfo, value_info(value));
  }
  return out;
}

WireWriter ModelWriter::node_message(const Node& node) const {
  const OpDef& def = node.op.def();
  if (def.domain == "octet")
    fail(Code::kUnsupported, "op {} at node `{}` is internal to octet: ONNX has none like it", def.name, printable(node.name));
  const auto name_of = [&](ValueId id) { return id == kNone ? std::string_view{} : std::string_view(graph_.value(id).name); };
  WireWriter out;
  for (const ValueId id : node.inputs) out.text(node::kInput, name_of(id));
  for (const ValueId id : node.outputs) out.text(node::kOutput, name_of(id));
  if (!node.name.empty()) out.text(node::kName, node.name);
  out.text(node::kOpType, def.name);
  write_attributes(node.op, graph_.opset, out);
  if (!def.domain.empty()) out.text(node::kDomain, def.domain);
  return out;
}

WireWriter ModelWriter::tensor_message(const Value& value) {
  const auto bytes = value.constant->bytes();
  std::optional<ExternalPlace> place;
  if (!data_name_.empty() && bytes.size() > kInline) {
    place = ExternalPlace{data_name_, data_size_};
    data_.push_back(bytes);
    data_size_ = aligned(data_size_ + bytes.size());
  }
  WireWriter out;
  write_tensor(*value.constant, value.name, place, out);
  return out;
}

WireWriter ModelWriter::value_info(const Value& value) const {
  WireWriter out;
  out.text(value_info::kName, value.name);
  write_type(*value.type, value_info::kType, out);
  return out;
}

void ModelWriter::write_data(AtomicFile& file) const {
  static constexpr std::array<std::byte, kAlign> kZeros{};
  for (const auto bytes : data_) {
    file.write(std::span(kZeros).first(aligned(file.written()) - file.written()));
    file.write(bytes);
  }
}

}  // namespace
}  // namespace onnx

void write_onnx(const Graph& graph, const std::filesystem::path& path, const WriteOptions& options) {
  std::filesystem::path data_path = path;
  data_path += ".data";
  std::optional<onnx::ModelWriter> writer(std::in_place, graph, options.external ? data_path.filename().string() : "");
  onnx::WireWriter model = writer->model();
  if (model.size() > options.limit) {
    writer.emplace(graph, data_path.filename().string());
    model = writer->model();
  }
  if (model.size() > options.limit) fail(Code::kUnsupported, "the graph alone takes {}: too big for ONNX", human_bytes(model.size()));
  AtomicFile file(path);
  model.write([&](std::span<const std::byte> bytes) { file.write(bytes); });
  if (writer->has_data()) {
    AtomicFile data(data_path);
    writer->write_data(data);
    data.commit();
  }
  file.commit();
}

}  // namespace octet
