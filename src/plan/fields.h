// The stored fields of every struct of plan.h, in file order: one visitor for the writer, the reader, the tests and the tables
// of docs/formats/plan.md, so that none can diverge. `visit(name, member)` is called with a const or a mutable member.
#pragma once
#include <concepts>
#include <type_traits>

#include "plan/plan.h"

namespace octet::plan {

template <class T, class U>
concept Is = std::same_as<std::remove_const_t<T>, U>;

inline void fields(Is<Buffer> auto& self, auto&& visit) {
  visit("name", self.name), visit("dtype", self.dtype), visit("dims", self.dims), visit("offset", self.offset);
  visit("bound", self.bound);
}
inline void fields(Is<Binding> auto& self, auto&& visit) { visit("name", self.name), visit("buffer", self.buffer); }
inline void fields(Is<Weight> auto& self, auto&& visit) {
  visit("name", self.name), visit("dtype", self.dtype), visit("dims", self.dims), visit("offset", self.offset);
}
inline void fields(Is<Embed> auto& self, auto&& visit) {
  visit("ids", self.ids), visit("out", self.out), visit("token", self.token), visit("position", self.position);
  visit("types", self.types), visit("type", self.type);
}
inline void fields(Is<PatchEmbed> auto& self, auto&& visit) {
  visit("pixels", self.pixels), visit("out", self.out), visit("weight", self.weight), visit("bias", self.bias);
  visit("class_token", self.class_token), visit("position", self.position), visit("channels", self.channels);
  visit("height", self.height), visit("width", self.width), visit("patch", self.patch), visit("scale", self.scale);
  visit("table", self.table);
}
inline void fields(Is<Norm> auto& self, auto&& visit) {
  visit("in", self.in), visit("out", self.out), visit("gamma", self.gamma), visit("beta", self.beta), visit("rows", self.rows);
  visit("cols", self.cols), visit("epsilon", self.epsilon), visit("out_scale", self.out_scale);
}
inline void fields(Is<ColumnRange> auto& self, auto&& visit) {
  visit("begin", self.begin), visit("end", self.end), visit("alpha", self.alpha), visit("mul", self.mul);
  visit("out_scale", self.out_scale);
}
inline void fields(Is<Gemm> auto& self, auto&& visit) {
  visit("a", self.a), visit("out", self.out), visit("residual", self.residual), visit("weight", self.weight);
  visit("bias", self.bias), visit("channel_scale", self.channel_scale), visit("rows", self.rows), visit("n", self.n);
  visit("k", self.k), visit("activation", self.activation), visit("ranges", self.ranges);
}
inline void fields(Is<AttentionInput> auto& self, auto&& visit) {
  visit("buffer", self.buffer), visit("column", self.column), visit("row_stride", self.row_stride), visit("scale", self.scale);
}
inline void fields(Is<Attention> auto& self, auto&& visit) {
  visit("q", self.q), visit("k", self.k), visit("v", self.v), visit("out", self.out), visit("tokens", self.tokens);
  visit("heads", self.heads), visit("head_dim", self.head_dim), visit("causal", self.causal);
  visit("score_scale", self.score_scale), visit("p_scale", self.p_scale), visit("out_scale", self.out_scale);
  visit("mask", self.mask);
}
inline void fields(Is<Pool> auto& self, auto&& visit) {
  visit("in", self.in), visit("out", self.out), visit("ids", self.ids), visit("rows", self.rows), visit("cols", self.cols);
  visit("mode", self.mode), visit("index", self.index);
}
inline void fields(Is<L2Normalize> auto& self, auto&& visit) {
  visit("in", self.in), visit("out", self.out), visit("cols", self.cols), visit("epsilon", self.epsilon);
}
inline void fields(Is<Scores> auto& self, auto&& visit) {
  visit("q", self.q), visit("k", self.k), visit("out", self.out), visit("tokens", self.tokens), visit("heads", self.heads);
  visit("head_dim", self.head_dim), visit("causal", self.causal), visit("score_scale", self.score_scale);
}
inline void fields(Is<Softmax> auto& self, auto&& visit) {
  visit("in", self.in), visit("out", self.out), visit("tokens", self.tokens), visit("heads", self.heads), visit("causal", self.causal);
  visit("out_scale", self.out_scale), visit("mask", self.mask);
}
inline void fields(Is<Values> auto& self, auto&& visit) {
  visit("in", self.in), visit("v", self.v), visit("out", self.out), visit("tokens", self.tokens), visit("heads", self.heads);
  visit("head_dim", self.head_dim), visit("causal", self.causal), visit("p_scale", self.p_scale), visit("out_scale", self.out_scale);
}
inline void fields(Is<FakeQuantize> auto& self, auto&& visit) {
  visit("in", self.in), visit("out", self.out), visit("rows", self.rows), visit("cols", self.cols), visit("scale", self.scale);
}
inline void fields(Is<Pointwise> auto& self, auto&& visit) {
  visit("in", self.in), visit("out", self.out), visit("residual", self.residual), visit("bias", self.bias), visit("rows", self.rows);
  visit("cols", self.cols), visit("activation", self.activation), visit("scale", self.scale), visit("mul", self.mul);
  visit("out_scale", self.out_scale);
}
inline void fields(Is<Step> auto& self, auto&& visit) { visit("name", self.name), visit("op", self.op), visit("notes", self.notes); }
inline void fields(Is<SourceNode> auto& self, auto&& visit) {
  visit("name", self.name), visit("op", self.op), visit("inputs", self.inputs), visit("outputs", self.outputs);
}
inline void fields(Is<Source> auto& self, auto&& visit) {
  visit("nodes", self.nodes), visit("steps", self.steps), visit("folded", self.folded);
}

// The sections that hold fields (io.h lists all): what of a Plan lies in each.
inline void meta_fields(Is<Plan> auto& self, auto&& visit) {
  visit("name", self.name), visit("processor_sha256", self.processor_sha256), visit("inputs", self.inputs);
  visit("outputs", self.outputs), visit("arena_bytes_per_item", self.arena_bytes_per_item);
}
inline void buffer_fields(Is<Plan> auto& self, auto&& visit) { visit("buffers", self.buffers); }
inline void weight_fields(Is<Plan> auto& self, auto&& visit) { visit("weights", self.weights); }
inline void step_fields(Is<Plan> auto& self, auto&& visit) { visit("steps", self.steps); }
inline void source_fields(Is<Plan> auto& self, auto&& visit) { visit("source", self.source); }

}  // namespace octet::plan
