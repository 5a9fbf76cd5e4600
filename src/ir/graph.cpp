// Building, reading and changing a Graph. Everything is a loop over flat arrays: no recursion, so depth has no limit.
#include "ir/graph.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "base/error.h"
#include "base/text.h"

namespace octet {

std::string Graph::unique(std::string value_name) {
  if (value_name.empty()) value_name = fmt::format("v{}", values_.size());
  if (!by_name_.contains(value_name)) return value_name;
  for (int64_t& suffix = next_suffix_[value_name];;) {
    std::string candidate = fmt::format("{}.{}", value_name, ++suffix);
    if (!by_name_.contains(candidate)) return candidate;
  }
}

ValueId Graph::insert(Value value) {
  OCTET_CHECK(values_.size() < INT32_MAX, values_.size());
  const auto id = static_cast<ValueId>(values_.size());
  value.name = unique(std::move(value.name));
  by_name_.emplace(value.name, id);
  values_.push_back(std::move(value));
  return id;
}

ValueId Graph::add_input(std::string value_name, TensorType type) {
  Value value;
  value.name = std::move(value_name), value.type = std::move(type);
  const ValueId id = insert(std::move(value));
  inputs.push_back(id);
  return id;
}

ValueId Graph::add_constant(std::string value_name, HostTensor tensor) {
  Value value;
  value.name = std::move(value_name), value.type = TensorType{tensor.dtype(), to_shape(tensor.dims())}, value.constant = std::move(tensor);
  return insert(std::move(value));
}

ValueId Graph::add_value(std::string value_name) {
  Value value;
  value.name = std::move(value_name);
  return insert(std::move(value));
}

ValueId Graph::add(Op op, std::vector<ValueId> in, std::string value_name, std::string node_name) {
  Node node;
  node.name = std::move(node_name), node.op = std::move(op), node.inputs = std::move(in);
  if (!node.name.empty()) node.source = {node.name};
  const ValueId output = add_value(std::move(value_name));
  node.outputs = {output};
  add_node(std::move(node));
  return output;
}

NodeId Graph::add_node(Node node) {
  OCTET_CHECK(node.op && nodes_.size() < INT32_MAX, node.name);
  for (const auto* list : {&node.inputs, &node.outputs})
    for (const ValueId id : *list) OCTET_CHECK(id >= kNone && id < static_cast<ValueId>(values_.size()), node.name, id);
  const auto id = static_cast<NodeId>(nodes_.size());
  for (const ValueId output : node.outputs)
    if (output != kNone) value(output).producer = id;
  nodes_.push_back(std::move(node));
  return id;
}

ValueId Graph::find(const std::string& value_name) const {
  const auto found = by_name_.find(value_name);
  return found == by_name_.end() ? kNone : found->second;
}

const Node* Graph::producer_of(ValueId id) const {
  if (id == kNone || value(id).constant || value(id).producer == kNone) return nullptr;
  const Node& producer = node(value(id).producer);
  return producer.dead ? nullptr : &producer;
}

const HostTensor* Graph::constant_of(ValueId id) const { return id != kNone && value(id).constant ? &*value(id).constant : nullptr; }

std::vector<std::vector<NodeId>> Graph::consumers() const {
  std::vector<std::vector<NodeId>> users(values_.size());
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (!nodes_[i].dead)
      for (const ValueId input : nodes_[i].inputs)
        if (input != kNone) users[static_cast<size_t>(input)].push_back(static_cast<NodeId>(i));
  return users;
}

bool Graph::is_output(ValueId id) const { return std::find(outputs.begin(), outputs.end(), id) != outputs.end(); }

std::string Graph::label(NodeId id) const {
  const Node& named = node(id);
  if (named.name.empty()) return fmt::format("node {} ({})", id, named.op.name());
  return fmt::format("node {} `{}` ({})", id, printable(named.name), named.op.name());
}

void Graph::replace_uses(ValueId from, ValueId to) { replace_uses({{from, to}}); }

void Graph::replace_uses(const std::unordered_map<ValueId, ValueId>& replacements) {
  std::unordered_map<ValueId, ValueId> ends;  // of chains, each link followed once
  std::vector<ValueId> path;
  const auto end_of = [&](ValueId id) {
    path.clear();
    for (auto next = replacements.find(id); next != replacements.end() && next->second != id; next = replacements.find(id)) {
      if (const auto known = ends.find(id); known != ends.end()) {
        id = known->second;
        break;
      }
      OCTET_CHECK(path.size() <= replacements.size(), id);  // a ring of replacements
      path.push_back(id);
      id = next->second;
    }
    for (const ValueId link : path) ends[link] = id;
    return id;
  };
  for (Node& user : nodes_)
    if (!user.dead)
      for (ValueId& input : user.inputs) input = end_of(input);
  for (ValueId& output : outputs) output = end_of(output);
}

int Graph::remove_dead() {
  std::vector<bool> needed(nodes_.size());
  std::vector<ValueId> open = outputs;
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    const Node* producer = producer_of(id);
    if (producer == nullptr || needed[static_cast<size_t>(value(id).producer)]) continue;
    needed[static_cast<size_t>(value(id).producer)] = true;
    open.insert(open.end(), producer->inputs.begin(), producer->inputs.end());
  }
  int removed = 0;
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (!nodes_[i].dead && !needed[i]) nodes_[i].dead = true, ++removed;
  return removed;
}

std::vector<NodeId> Graph::owners() const {
  std::vector<NodeId> owner(values_.size(), kNone);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].dead) continue;
    for (const ValueId output : nodes_[i].outputs) {
      if (output == kNone) continue;
      NodeId& slot = owner[static_cast<size_t>(output)];
      const auto id = static_cast<NodeId>(i);
      if (slot != kNone) fail(Code::kInvalid, "`{}` is written by {} and by {}", printable(value(output).name), label(slot), label(id));
      if (value(output).constant) fail(Code::kInvalid, "`{}` is a constant and is written by {}", printable(value(output).name), label(id));
      slot = id;
    }
  }
  for (const ValueId input : inputs)
    if (const NodeId id = owner[static_cast<size_t>(input)]; id != kNone)
      fail(Code::kInvalid, "`{}` is a graph input and is written by {}", printable(value(input).name), label(id));
  return owner;
}

void Graph::sort() {
  const std::vector<NodeId> owner = owners();
  std::vector<std::vector<NodeId>> users = consumers();
  std::vector<int32_t> waits(nodes_.size());  // inputs not yet produced
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> ready;
  size_t live = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].dead) continue;
    ++live;
    for (const ValueId input : nodes_[i].inputs) waits[i] += input != kNone && owner[static_cast<size_t>(input)] != kNone;
    if (waits[i] == 0) ready.push(static_cast<NodeId>(i));
  }
  std::vector<NodeId> order;
  std::vector<bool> done(nodes_.size());
  while (!ready.empty()) {
    const NodeId next = ready.top();
    ready.pop();
    order.push_back(next), done[static_cast<size_t>(next)] = true;
    for (const ValueId output : node(next).outputs)
      if (output != kNone)
        for (const NodeId user : users[static_cast<size_t>(output)])
          if (--waits[static_cast<size_t>(user)] == 0) ready.push(user);
  }
  if (order.size() != live) fail_cycle(owner, done);
  std::deque<Node> sorted;
  for (Value& each : values_) each.producer = kNone;
  for (const NodeId id : order) {
    for (const ValueId output : node(id).outputs)
      if (output != kNone) value(output).producer = static_cast<NodeId>(sorted.size());
    sorted.push_back(std::move(node(id)));
  }
  nodes_ = std::move(sorted);
}

// Every node not done waits for another such node: walking to producers must come back to a node already met.
void Graph::fail_cycle(const std::vector<NodeId>& owner, const std::vector<bool>& done) const {
  const auto waits_for = [&](NodeId id) {
    for (const ValueId input : node(id).inputs) {
      const NodeId producer = input == kNone ? kNone : owner[static_cast<size_t>(input)];
      if (producer != kNone && !done[static_cast<size_t>(producer)]) return producer;
    }
    OCTET_CHECK(false, id);
    return kNone;
  };
  NodeId at = 0;
  while (done[static_cast<size_t>(at)] || node(at).dead) ++at;
  std::vector<bool> met(nodes_.size());
  for (; !met[static_cast<size_t>(at)]; at = waits_for(at)) met[static_cast<size_t>(at)] = true;
  constexpr int kNamed = 8;
  std::string path = label(at);
  NodeId next = waits_for(at);
  for (int named = 1; next != at && named < kNamed; next = waits_for(next), ++named) path += " <- " + label(next);
  path += next == at ? " <- " + label(at) : " <- ...";
  throw Error(Code::kInvalid, "graph `" + printable(name) + "` has a cycle: " + path,
              "break it: a graph must not feed a node its own result");
}

void Graph::rename(ValueId id, std::string value_name) {
  std::string& current = value(id).name;
  if (current == value_name) return;
  value_name = unique(std::move(value_name));
  if (const auto old = by_name_.find(current); old != by_name_.end() && old->second == id) by_name_.erase(old);
  by_name_.emplace(value_name, id);
  current = std::move(value_name);
}

}  // namespace octet
