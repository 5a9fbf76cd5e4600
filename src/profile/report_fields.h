// The members of every struct of report.h by name: one visitor for the JSON writer and the table of docs/formats/profile.md.
#pragma once
#include "profile/report.h"

namespace octet::profile {

inline void fields(const Estimate& s, auto&& visit) { visit("median", s.median), visit("low", s.low), visit("high", s.high); }
inline void fields(const EngineSummary& s, auto&& visit) {
  visit("batch", s.batch), visit("runs", s.runs), visit("warm_up_runs", s.warm_up_runs), visit("profiled_runs", s.profiled_runs);
  visit("warm_up_ms", s.warm_up_ms), visit("end_to_end", s.end_to_end), visit("p90", s.p90), visit("p99", s.p99), visit("min", s.min);
  visit("mean", s.mean), visit("coefficient_of_variation", s.coefficient_of_variation), visit("compute_ms", s.compute_ms);
  visit("wall_ms", s.wall_ms), visit("items_per_second", s.items_per_second), visit("sum_of_steps", s.sum_of_steps);
  visit("plain_ms", s.plain_ms), visit("gap_ms", s.gap_ms), visit("gap_percent", s.gap_percent), visit("engine_bytes", s.engine_bytes);
  visit("weight_bytes", s.weight_bytes), visit("resident_weight_bytes", s.resident_weight_bytes), visit("arena_bytes", s.arena_bytes);
}
inline void fields(const Environment& s, auto&& visit) {
  visit("octet", s.octet), visit("date", s.date), visit("command", s.command), visit("cpu", s.cpu), visit("isa", s.isa);
  visit("device", s.device), visit("threads", s.threads), visit("driver", s.driver), visit("gpu_memory", s.gpu_memory);
  visit("variables", s.variables);
}
inline void fields(const Roof& s, auto&& visit) {
  visit("name", s.name), visit("rate", s.rate), visit("memory", s.memory), visit("origin", s.origin);
}
inline void fields(const Roofline& s, auto&& visit) {
  visit("roof", s.roof), visit("percent", s.percent), visit("roof_ms", s.roof_ms), visit("products", s.products);
}
inline void fields(const StepEdge& s, auto&& visit) {
  visit("from", s.from), visit("to", s.to), visit("tensor", s.tensor), visit("dtype", s.dtype), visit("bytes", s.bytes);
}
inline void fields(const Step& s, auto&& visit) {
  visit("name", s.name), visit("kind", s.kind), visit("category", s.category), visit("block", s.block), visit("precision", s.precision);
  visit("out_dtype", s.out_dtype), visit("problem", s.problem), visit("kernel", s.kernel), visit("flops", s.flops);
  visit("bytes", s.bytes), visit("weight_bytes", s.weight_bytes), visit("time", s.time), visit("share", s.share), visit("ms", s.ms);
  visit("tflops", s.tflops), visit("gbytes", s.gbytes), visit("roofline", s.roofline), visit("source", s.source);
  visit("notes", s.notes), visit("refused", s.refused), visit("fp8", s.fp8), visit("fp8_reason", s.fp8_reason);
}
inline void fields(const SourceNode& s, auto&& visit) {
  visit("name", s.name), visit("op", s.op), visit("block", s.block), visit("inputs", s.inputs), visit("outputs", s.outputs);
  visit("step", s.step);
}
inline void fields(const SourceEdge& s, auto&& visit) { visit("from", s.from), visit("to", s.to), visit("tensor", s.tensor); }
inline void fields(const Share& s, auto&& visit) {
  visit("name", s.name), visit("steps", s.steps), visit("ms", s.ms), visit("flops", s.flops), visit("bytes", s.bytes);
}
inline void fields(const Transition& s, auto&& visit) {
  visit("from", s.from), visit("to", s.to), visit("edges", s.edges), visit("bytes", s.bytes);
}
inline void fields(const SiteStats& s, auto&& visit) {
  visit("step", s.step), visit("tensor", s.tensor), visit("column_begin", s.column_begin), visit("column_end", s.column_end);
  visit("scale", s.scale), visit("elements", s.elements), visit("zeros", s.zeros), visit("saturated", s.saturated);
  visit("nan", s.nan), visit("largest", s.largest), visit("judged", s.judged), visit("clipped", s.clipped);
}
inline void fields(const Engine& s, auto&& visit) {
  visit("label", s.label), visit("file", s.file), visit("name", s.name), visit("creator", s.creator), visit("summary", s.summary);
  visit("environment", s.environment), visit("roofs", s.roofs), visit("steps", s.steps), visit("edges", s.edges);
  visit("nodes", s.nodes), visit("node_edges", s.node_edges), visit("by_category", s.by_category);
  visit("by_precision", s.by_precision), visit("transitions", s.transitions), visit("reformat_ms", s.reformat_ms);
  visit("stray_quantizers", s.stray_quantizers), visit("sites", s.sites), visit("notes", s.notes);
}
inline void fields(const MatchedLayer::Side& s, auto&& visit) {
  visit("steps", s.steps), visit("time", s.time), visit("precision", s.precision), visit("kernels", s.kernels);
}
inline void fields(const MatchedLayer& s, auto&& visit) {
  visit("name", s.name), visit("category", s.category), visit("block", s.block), visit("sides", s.sides);
}
inline void fields(const Leg::Part& s, auto&& visit) { visit("category", s.category), visit("ms", s.ms); }
inline void fields(const Leg& s, auto&& visit) {
  visit("from", s.from), visit("to", s.to), visit("cause", s.cause), visit("from_ms", s.from_ms), visit("to_ms", s.to_ms);
  visit("speed_up", s.speed_up), visit("parts", s.parts), visit("unattributed_ms", s.unattributed_ms);
}
inline void fields(const SlowerLayer& s, auto&& visit) {
  visit("from", s.from), visit("to", s.to), visit("layer", s.layer), visit("delta_ms", s.delta_ms);
  visit("beyond_noise", s.beyond_noise), visit("reason", s.reason);
}
inline void fields(const Report& s, auto&& visit) {
  visit("engines", s.engines), visit("layers", s.layers), visit("waterfall", s.waterfall), visit("slower", s.slower);
}

}  // namespace octet::profile
