// The state the matchers share: which nodes are covered, where each value lies, the plan so far. Next: lower/match_gemm.cpp.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ops/quantize.h"
#include "plan/plan.h"

namespace octet::lowering {

// A value of the graph is decode(buffer) * scale; scale is 1 for float buffers.
struct Located {
  plan::Id buffer = plan::kNoId;
  float scale = 1;
};

// A quantization that directly follows a value: the scale, and the nodes and dequantized values it covers.
struct Quantized {
  float scale = 1;
  std::vector<NodeId> nodes;
  std::vector<ValueId> values;
};

// One side of an attention: the projection's output before heads are split, and what lies between.
struct HeadInput {
  ValueId base = kNone;        // [B, S, heads * head_dim]
  float mul = 1;               // constant factor before the quantization
  std::optional<float> scale;  // of the Q/DQ, if any
  float factor = 1;            // constant factor behind it; > 0
};
struct AttentionMatch {
  HeadInput q, k, v;
  int64_t tokens = 0, heads = 0, head_dim = 0;
  bool causal = false;
  ValueId mask = kNone;  // input [B, tokens] of keys that are seen where it is not 0
  float score_scale = 1, p_scale = 0;
  float score_grid = 0;                    // > 0: scores are rounded to E4M3 at this scale, before the mask is added
  std::vector<NodeId> score_quantization;  // by these nodes
  std::optional<Quantized> output;         // Q/DQ right after the second product
  std::optional<Quantized> again;          // and another, at another scale
  ValueId result = kNone;                  // [B, S, heads * head_dim], heads merged
  NodeId anchor = kNone;                   // the second product
  NodeId scores = kNone;                   // the first product
  std::vector<NodeId> nodes;               // everything covered, projections excluded: the softmax first, then in the order of these ends
  std::vector<std::string> notes;          // of the step
  size_t scores_end = 0, output_end = 0, keys_end = 0;  // what leads from the product to the softmax; behind it; q's and k's; v's is last
};

class Lowering {
 public:
  explicit Lowering(const Graph& graph);

  // Questions about the graph.
  const Node* only_consumer(ValueId value, NodeId* id = nullptr) const;  // nullptr if none, several, or a graph output
  NodeId producer_id(ValueId value) const { return graph.value(value).producer; }
  std::optional<float> scalar_constant(ValueId value) const;
  const HostTensor* float_constant(ValueId value) const;  // of a float dtype
  // What Where(IsNaN(value), 0, value) gives, if nothing else reads `value`: writers put it behind a softmax whose rows a mask may hide
  // whole. Its nodes are appended. kNone otherwise.
  ValueId behind_nan_guard(ValueId value, std::vector<NodeId>& nodes) const;
  std::vector<int64_t> item_dims(ValueId value) const;  // shape without the batch axis; throws kUnsupported
  // Every consumer is a per-tensor E4M3 Q of one scale (not also a graph output), and all their consumers are DQs of it.
  std::optional<Quantized> quantized(ValueId value) const;
  // x if `value` is DQ(codes, scale) of a constant: the weight's codes and scale tensor.
  struct QuantizedWeight {
    const HostTensor* codes;
    const HostTensor* scale;
    NodeId dq;
  };
  std::optional<QuantizedWeight> quantized_weight(ValueId value) const;

  // Building the plan.
  plan::Id add_buffer(ValueId value, DType dtype, std::vector<int64_t> dims);  // bound if the value is a graph output
  plan::Id add_weight(const std::string& name, HostTensor tensor);             // one entry a name
  void place(ValueId value, Located located) { located_[value] = located; }
  std::optional<Located> locate(ValueId value) const;
  // Throws kUnsupported where no step produces it, with the nearest matcher's reason before it.
  Located require(ValueId value, const std::string& who) const;
  // The same for a reader that takes floats alone: what is quantized in front of it, or lies there as codes, gets a step of its own.
  Located require_float(ValueId value, const std::string& who, const std::string& why);
  // ": `node` (Op): why" of the nearest refusal before `value` that is no consequence of another; "" if there is none.
  std::string reason_before(ValueId value) const;
  void emit(std::string name, plan::Operation op, const std::vector<NodeId>& nodes, std::vector<std::string> notes = {});
  bool covered(NodeId id) const { return covered_[static_cast<size_t>(id)]; }
  void cover(NodeId id) { covered_[static_cast<size_t>(id)] = true; }
  void refuse(NodeId id, std::string reason) { reasons_[id].push_back(std::move(reason)); }
  void refuse_as_consequence(NodeId id, std::string reason) { consequences_.insert(id), refuse(id, std::move(reason)); }

  // The end of a producing step: where `value` is wanted in E4M3 only, the step writes codes. Places the results.
  struct Output {
    plan::Id buffer;
    float scale;
    std::vector<NodeId> nodes;
    std::vector<std::string> notes;
  };
  Output finish_output(ValueId value, std::vector<int64_t> dims);
  // The same of a step that writes no codes.
  plan::Id float_output(ValueId value, std::vector<int64_t> dims);
  // The same behind an epilogue. A sum with a residual is written in its float type, even where it is quantized at once.
  Output epilogue_output(ValueId value, std::vector<int64_t> dims, bool residual);
  // Of a tensor that is wanted in E4M3, all of one scale, and in its float type too (or is a graph output): its Q, and everything that
  // follows it as in quantized().
  std::optional<Quantized> partly_quantized(ValueId value) const;

  // The side of an attention whose base is `base`.
  const HeadInput& head_input(ValueId base) const;

  const Graph& graph;
  plan::Plan plan;
  std::map<ValueId, std::pair<size_t, int>> head_inputs;  // base value -> (attention, 0 q | 1 k | 2 v)
  std::vector<AttentionMatch> attentions;
  bool fuse_attention = true;  // off: three steps instead of one
  // Rounded scores have no fused step.
  bool fuses(const AttentionMatch& match) const { return fuse_attention && match.score_grid == 0; }
  std::vector<std::vector<NodeId>> step_nodes;  // parallel to plan.steps
  const std::map<NodeId, std::vector<std::string>>& reasons() const { return reasons_; }

 private:
  std::vector<std::vector<NodeId>> consumers_;
  std::vector<bool> covered_;
  std::map<ValueId, Located> located_;
  std::map<std::string, plan::Id> weights_;
  std::map<NodeId, std::vector<std::string>> reasons_;
  std::set<std::string> step_names_;
  std::set<NodeId> consequences_;  // refused for what an earlier node was refused for
};

// The i32 or i64 input [B, tokens] that decides which keys `bias`, which is added to scores, hides; kNone if it is no such thing.
// What lies between is appended to `nodes`.
ValueId key_mask(const Lowering& l, ValueId bias, int64_t tokens, std::vector<NodeId>& nodes);

// The u8 input [batch, H, W, C] that `value`, [batch, C, H, W], is made of byte by byte, and what each byte becomes there.
struct PictureTable {
  plan::Id pixels = plan::kNoId;  // its buffer
  HostTensor values;              // [C, 256] of the value's type
  std::vector<NodeId> nodes;      // between the two
};
std::optional<PictureTable> picture_table(const Lowering& l, ValueId value, std::string& why);

// Matchers: true if they emitted a step for the anchor; otherwise the reason is recorded with refuse().
bool match_embed(Lowering& l, NodeId anchor);        // Gather of a constant table
bool match_patch_embed(Lowering& l, NodeId anchor);  // Conv
bool match_norm(Lowering& l, NodeId anchor);         // LayerNormalization
bool match_gemm(Lowering& l, NodeId anchor);         // MatMul by a constant
bool match_pointwise(Lowering& l, NodeId anchor);    // Add, Mul, activation behind a rounded sum; false without a reason for any other
bool match_attention(Lowering& l, NodeId anchor);    // the second product of a found attention
bool match_pool(Lowering& l, NodeId anchor);         // Gather / GatherND of rows
bool match_l2normalize(Lowering& l, NodeId anchor);  // LpNormalization
// A step for the Q of `value`, a DQ, where no step has written its codes and x has been written.
void quantize_operand(Lowering& l, ValueId value);
// A step that makes of the codes of `value` those at another scale, which it has from then on.
void requantize(Lowering& l, ValueId value, float scale);
// Of dequantized values that a step has written as codes: those that an attention quantizes again.
void requantize_heads(Lowering& l, const std::vector<ValueId>& values);
// The same attention as the three steps scores, softmax and values; `nodes`: m.nodes and what follows the result.
void emit_attention_steps(Lowering& l, const AttentionMatch& m, const plan::Attention& op, const std::vector<NodeId>& nodes);
// Finds all attentions from their Softmax; near misses are recorded with refuse().
void find_attentions(Lowering& l);
// Buffer offsets per item: greedy, largest first, by lifetime over the steps. Sets arena_bytes_per_item.
void plan_memory(plan::Plan& plan);

}  // namespace octet::lowering
