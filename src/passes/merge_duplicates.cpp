// Common subexpressions: equal operators with equal attributes and inputs compute the same value once. Small constants are
// compared by content first, since exporters give every Q and DQ its own copy of an equal scale.
#include <unordered_map>

#include "base/hash.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

constexpr size_t kSmallConstant = 4096;  // bytes; equal weights are not worth hashing

// All attributes as text, by name.
class KeyWriter : public FieldVisitor {
 public:
  std::string key;
  void field(std::string_view name, int64_t& value) override { key += fmt::format("{}={};", name, value); }
  void field(std::string_view name, float& value) override { key += fmt::format("{}={:a};", name, value); }
  void field(std::string_view name, std::string& value) override { key += fmt::format("{}={}:{};", name, value.size(), value); }
  void field(std::string_view name, std::vector<int64_t>& value) override { key += fmt::format("{}=[{}];", name, fmt::join(value, ",")); }
  void field(std::string_view name, std::vector<float>& value) override { key += fmt::format("{}=[{:a}];", name, fmt::join(value, ",")); }
  void field(std::string_view name, DType& value) override { key += fmt::format("{}={};", name, octet::name_of(value)); }
  void field(std::string_view name, HostTensor& value) override {
    key += fmt::format("{}={}{};", name, describe(value), hex(xxh3_128(value.bytes())));
  }
};

std::string key_of(const Graph& graph, const Node& node) {
  KeyWriter writer;
  writer.key = fmt::format("{}:{}({};{})", node.op.def().domain, node.op.name(), fmt::join(node.inputs, ","), node.outputs.size());
  const auto copy = node.op.def().copy(node.op.attributes());
  node.op.def().visit(copy.get(), graph.opset, writer);
  return writer.key;
}

int merge_constants(Graph& graph) {
  std::unordered_map<std::string, ValueId> seen;
  int rewrites = 0;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    const Value& value = graph.value(id);
    if (!value.constant || value.constant->bytes().size() > kSmallConstant || graph.is_output(id)) continue;
    const auto bytes = value.constant->bytes();
    std::string key = describe(*value.constant) + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto [first, fresh] = seen.emplace(std::move(key), id);
    if (fresh) continue;
    graph.replace_uses(id, first->second);
    ++rewrites;
  }
  return rewrites;
}

}  // namespace

int merge_duplicates(Graph& graph, Notes&) {
  int rewrites = merge_constants(graph);
  std::unordered_map<std::string, NodeId> seen;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {  // topological: inputs are merged before uses
    Node& node = graph.node(id);
    if (node.dead) continue;
    const auto [first, fresh] = seen.emplace(key_of(graph, node), id);
    if (fresh) continue;
    bool is_output = false;
    for (const ValueId out : node.outputs) is_output |= out != kNone && graph.is_output(out);
    if (is_output) continue;
    Node& kept = graph.node(first->second);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] != kNone && kept.outputs[i] != kNone) graph.replace_uses(node.outputs[i], kept.outputs[i]);
    kept.source.insert(kept.source.end(), node.source.begin(), node.source.end());
    graph.erase(id);
    ++rewrites;
  }
  return rewrites;
}

}  // namespace octet::passes
