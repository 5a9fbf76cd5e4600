// The typed graph: values and nodes in topological order. Single assignment: a value has one producer (a node, a graph
// input, or a constant). Text form: ir/text.h. Next: ops/list.h for the operators, passes/pipeline.h for what changes it.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/op.h"
#include "ir/types.h"

namespace octet {

using ValueId = int32_t;
using NodeId = int32_t;
inline constexpr int32_t kNone = -1;

struct Value {
  std::string name;                    // unique in the graph
  std::optional<TensorType> type;      // declared for inputs and constants, inferred for the rest
  std::optional<Shape> shape_value;    // see Inferred
  std::optional<HostTensor> constant;  // an initializer, or a folded result
  NodeId producer = kNone;
};

struct Node {
  std::string name;  // may be empty
  Op op;
  std::vector<ValueId> inputs;      // kNone: omitted optional input
  std::vector<ValueId> outputs;     // kNone: omitted optional output
  std::vector<std::string> source;  // names of the ONNX nodes this one stands for (itself at import)
  bool dead = false;                // removed by a pass; skipped everywhere, dropped by sort()
  template <class T>
  const T* as() const {
    return op.as<T>();
  }
};

class Graph {
 public:
  std::string name;
  std::string producer;  // producer_name of the ONNX file
  int opset = 20;        // of domain ""
  std::map<std::string, std::string> metadata;
  std::vector<std::string> import_notes;  // what a reader spelt anew: nodes of other domains, by name
  std::vector<ValueId> inputs, outputs;

  // Building. Names are made unique by a suffix if taken; "" gives a generated one.
  ValueId add_input(std::string value_name, TensorType type);
  ValueId add_constant(std::string value_name, HostTensor tensor);
  ValueId add_value(std::string value_name);
  // Appends a node with one new output named `value_name` and returns that value. Its source is its own name.
  ValueId add(Op op, std::vector<ValueId> in, std::string value_name = {}, std::string node_name = {});
  NodeId add_node(Node node);  // appended as is; sets the outputs' producer
  void mark_output(ValueId value) { outputs.push_back(value); }

  // Reading.
  size_t value_count() const { return values_.size(); }
  const Value& value(ValueId id) const { return values_.at(static_cast<size_t>(id)); }
  Value& value(ValueId id) { return values_.at(static_cast<size_t>(id)); }
  size_t node_count() const { return nodes_.size(); }
  const Node& node(NodeId id) const { return nodes_.at(static_cast<size_t>(id)); }
  Node& node(NodeId id) { return nodes_.at(static_cast<size_t>(id)); }
  ValueId find(const std::string& value_name) const;  // kNone if absent
  const Node* producer_of(ValueId id) const;          // nullptr for inputs, constants, kNone, and where the producer is dead
  const HostTensor* constant_of(ValueId id) const;    // nullptr if not constant (or kNone)
  // Live consumers of every value, by node id, each listed once per use; index by ValueId. O(graph).
  std::vector<std::vector<NodeId>> consumers() const;
  bool is_output(ValueId id) const;
  std::string label(NodeId id) const;  // "node 17 `name` (Op)", for messages

  // Changing.
  // In live nodes and graph outputs. O(graph) a call: a pass with many replacements collects them in a map, where a
  // chain a -> b -> c ends at c.
  void replace_uses(ValueId from, ValueId to);
  void replace_uses(const std::unordered_map<ValueId, ValueId>& replacements);
  void erase(NodeId id) { node(id).dead = true; }
  int remove_dead();  // marks nodes no output depends on; returns how many
  // Topological order, stable; drops dead nodes, so node ids change. Throws Error{kInvalid} naming a cycle, or a value that
  // has two producers.
  void sort();
  void rename(ValueId id, std::string value_name);  // a suffix is added if the name is taken

 private:
  std::string unique(std::string value_name);
  ValueId insert(Value value);
  std::vector<NodeId> owners() const;  // the live producer of every value
  [[noreturn]] void fail_cycle(const std::vector<NodeId>& owner, const std::vector<bool>& done) const;
  std::deque<Value> values_;
  std::deque<Node> nodes_;
  std::map<std::string, ValueId, std::less<>> by_name_;
  std::unordered_map<std::string, int64_t> next_suffix_;  // of a taken name, so that n equal names cost O(n)
};

// A float tensor that a node reads, and what gives it: "node 4 `X` (Cast)", "graph input" or "constant".
struct TypedOperand {
  std::string tensor;
  DType dtype = DType::f32;
  std::string producer;
};
std::string to_string(const TypedOperand& operand);  // "`tensor` f16 <- node 4 `X` (Cast)"
// A broken rule at one node, with where each of its float inputs came from.
struct TypeViolation {
  std::string node, op, rule, what, fix;  // node: "node 17 `name`"
  std::vector<TypedOperand> operands;
  NodeId id = kNone;
  bool mixes_floats() const;  // its operands are of f32 and of a 16-bit float
};
// Runs every rule in order, filling types and shape_values; earlier ones are forgotten, those of inputs excepted. Returns
// all violations instead of throwing for them. Throws where no type can be had: an operand missing or read before it is
// produced, or what a rule throws, with "while checking node 17 `name` (Op)". Same graph, same names of fresh dimensions.
std::vector<TypeViolation> infer_types(Graph& graph);
// Throws one Error{kInvalid} that lists every violation.
void check_types(Graph& graph);

}  // namespace octet
