#include "lower/lower.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "lower/lowering.h"
#include "ops/arithmetic.h"
#include "ops/conv.h"
#include "ops/gather.h"
#include "ops/gelu.h"
#include "ops/layer_normalization.h"
#include "ops/lp_normalization.h"
#include "ops/matmul.h"

namespace octet {
namespace {

using namespace lowering;

constexpr size_t kListed = 12;  // uncovered nodes an error names

void place_inputs(Lowering& l) {
  for (const ValueId id : l.graph.inputs) {
    const Value& value = l.graph.value(id);
    const plan::Id buffer = l.add_buffer(id, value.type->dtype, l.item_dims(id));
    l.plan.buffers[buffer].bound = 1;
    l.plan.inputs.push_back({value.name, buffer});
    l.place(id, {buffer, 1});
  }
}

void match_node(Lowering& l, NodeId id) {
  const Node& node = l.graph.node(id);
  if (const auto& type = l.graph.value(node.outputs[0]).type; !type || !is_float(type->dtype)) return;  // index arithmetic
  if (node.as<Conv>()) match_patch_embed(l, id);
  else if (node.as<Gather>() && l.graph.constant_of(node.inputs[0])) match_embed(l, id);
  else if (node.as<Gather>() || node.as<GatherND>()) match_pool(l, id);
  else if (node.as<LayerNormalization>()) match_norm(l, id);
  else if (node.as<LpNormalization>()) match_l2normalize(l, id);
  else if (node.as<Add>() || node.as<Mul>() || node.as<Gelu>() || node.as<QuickGelu>()) match_pointwise(l, id);
  else if (node.as<MatMul>()) {
    const bool by_weight = l.graph.constant_of(node.inputs[1]) || l.quantized_weight(node.inputs[1]);
    const bool scores = std::any_of(l.attentions.begin(), l.attentions.end(), [&](auto& m) { return m.scores == id; });
    if (by_weight) match_gemm(l, id);
    else if (!scores) match_attention(l, id);
  }
}

// Shape and index arithmetic that only covered nodes read has no step of its own.
void cover_index_arithmetic(Lowering& l) {
  const auto consumers = l.graph.consumers();
  for (NodeId id = static_cast<NodeId>(l.graph.node_count()) - 1; id >= 0; --id) {
    const Node& node = l.graph.node(id);
    if (l.covered(id)) continue;
    bool absorbed = true;
    for (const ValueId out : node.outputs) {
      if (out == kNone) continue;
      const auto& type = l.graph.value(out).type;
      absorbed &= type && (is_integer(type->dtype) || type->dtype == DType::boolean) && !l.graph.is_output(out);
      for (const NodeId use : consumers[static_cast<size_t>(out)]) absorbed &= l.covered(use);
    }
    if (absorbed) l.cover(id);
  }
}

std::vector<Uncovered> uncovered(const Lowering& l) {
  std::vector<Uncovered> found;
  for (NodeId id = 0; id < static_cast<NodeId>(l.graph.node_count()); ++id) {
    if (l.covered(id)) continue;
    const Node& node = l.graph.node(id);
    const auto reasons = l.reasons().find(id);
    found.push_back({id, node.name, std::string(node.op.name()), reasons == l.reasons().end() ? "" : join(reasons->second, "; ")});
  }
  return found;
}

// Everything must run: what no step covers is named, nodes with a matcher's reason first.
void require_full_coverage(const Lowering& l) {
  std::vector<std::string> explained, others;
  for (const Uncovered& u : uncovered(l)) {
    const std::string line = fmt::format("\n    `{}` ({})", printable(u.node), u.op);
    if (u.why.empty()) others.push_back(line);
    else explained.push_back(line + ": " + u.why);
  }
  const size_t count = explained.size() + others.size();
  if (count == 0) return;
  explained.insert(explained.end(), others.begin(), others.end());
  if (count > kListed) explained.resize(kListed), explained.push_back(fmt::format("\n    and {} more", count - kListed));
  throw Error(Code::kUnsupported, fmt::format("{} node(s) match no fused step:{}", count, join(explained, "")),
              "octet compiles CLIP-like transformer towers; `octet run --reference=onnx` runs any graph node by node");
}

void bind_outputs(Lowering& l) {
  for (const ValueId id : l.graph.outputs) {
    const std::string& name = l.graph.value(id).name;
    const Located at = l.locate(id) ? l.require_float(id, name, "the output is rounded to E4M3; it is given as a float") : Located{};
    if (at.buffer == plan::kNoId || !l.plan.buffers[at.buffer].bound || at.scale != 1)
      fail(Code::kUnsupported, "output `{}` is not the result of a step", name);
    l.plan.outputs.push_back({name, at.buffer});
  }
}

// steps[i]: the source nodes of step i. What no step stands for was folded, merged or dead.
void map_source(Lowering& l, plan::Source& source) {
  std::map<std::string_view, uint32_t> index;
  for (uint32_t i = 0; i < source.nodes.size(); ++i) index[source.nodes[i].name] = i;
  std::set<uint32_t> used;
  for (const auto& nodes : l.step_nodes) {
    std::set<uint32_t> mine;
    for (const NodeId id : nodes)
      for (const auto& name : l.graph.node(id).source)
        if (const auto found = index.find(name); found != index.end() && used.insert(found->second).second) mine.insert(found->second);
    source.steps.emplace_back(mine.begin(), mine.end());
  }
  for (uint32_t i = 0; i < source.nodes.size(); ++i)
    if (!used.count(i)) source.folded.push_back(i);
}

}  // namespace

std::vector<Uncovered> uncovered_nodes(const Graph& graph) {
  Lowering l(graph);
  place_inputs(l);
  find_attentions(l);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    if (l.covered(id)) continue;
    try {
      match_node(l, id);
    } catch (const Error& error) {  // what a step would read is no step's result, or not of the batch
      if (error.code() != Code::kUnsupported) throw;
      l.refuse(id, error.message());
    }
  }
  cover_index_arithmetic(l);
  return uncovered(l);
}

plan::Source record_source(Graph& graph) {
  plan::Source source;
  std::set<std::string> names;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id) {
    Node& node = graph.node(id);
    if (node.dead) continue;
    std::string name = node.name.empty() ? fmt::format("{}_{}", node.op.name(), id) : node.name;
    while (!names.insert(name).second) name += fmt::format("#{}", id);
    node.name = name;
    node.source = {name};
    plan::SourceNode record{name, std::string(node.op.name()), {}, {}};
    for (const ValueId in : node.inputs) record.inputs.push_back(in == kNone ? "" : graph.value(in).name);
    for (const ValueId out : node.outputs) record.outputs.push_back(out == kNone ? "" : graph.value(out).name);
    source.nodes.push_back(std::move(record));
  }
  return source;
}

std::shared_ptr<plan::Plan> lower(const Graph& graph, plan::Source source, const LowerOptions& options) {
  Lowering l(graph);
  l.fuse_attention = options.fuse_attention;
  place_inputs(l);
  find_attentions(l);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_count()); ++id)
    if (!l.covered(id)) match_node(l, id);
  cover_index_arithmetic(l);
  require_full_coverage(l);
  bind_outputs(l);
  plan_memory(l.plan);
  map_source(l, source);
  l.plan.source = std::move(source);
  return std::make_shared<plan::Plan>(std::move(l.plan));
}

}  // namespace octet
