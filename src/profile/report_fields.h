// The members of every struct of report.h by name: one visitor for the JSON writer and its reader.
#pragma once
#include <concepts>
#include <type_traits>

#include "profile/report.h"

namespace octet::profile {

// T, to be read or to be filled.
template <class S, class T>
concept Of = std::same_as<std::remove_const_t<S>, T>;

void fields(Of<Estimate> auto& s, auto&& visit) { visit("median", s.median), visit("low", s.low), visit("high", s.high); }
void fields(Of<EngineSummary> auto& s, auto&& visit) {
  visit("batch", s.batch), visit("runs", s.runs), visit("warm_up_runs", s.warm_up_runs), visit("profiled_runs", s.profiled_runs);
  visit("warm_up_ms", s.warm_up_ms), visit("end_to_end", s.end_to_end), visit("p90", s.p90), visit("p99", s.p99), visit("min", s.min);
  visit("mean", s.mean), visit("coefficient_of_variation", s.coefficient_of_variation), visit("compute_ms", s.compute_ms);
  visit("wall_ms", s.wall_ms), visit("items_per_second", s.items_per_second), visit("sum_of_steps", s.sum_of_steps);
  visit("plain_ms", s.plain_ms), visit("gap_ms", s.gap_ms), visit("gap_percent", s.gap_percent), visit("engine_bytes", s.engine_bytes);
  visit("weight_bytes", s.weight_bytes), visit("resident_weight_bytes", s.resident_weight_bytes), visit("arena_bytes", s.arena_bytes);
}
void fields(Of<Environment> auto& s, auto&& visit) {
  visit("octet", s.octet), visit("date", s.date), visit("command", s.command), visit("cpu", s.cpu), visit("isa", s.isa);
  visit("device", s.device), visit("threads", s.threads), visit("driver", s.driver), visit("gpu_memory", s.gpu_memory);
  visit("variables", s.variables);
}
void fields(Of<Roof> auto& s, auto&& visit) {
  visit("name", s.name), visit("rate", s.rate), visit("memory", s.memory), visit("origin", s.origin);
}
void fields(Of<Roofline> auto& s, auto&& visit) {
  visit("roof", s.roof), visit("percent", s.percent), visit("roof_ms", s.roof_ms), visit("products", s.products);
}
void fields(Of<StepEdge> auto& s, auto&& visit) {
  visit("from", s.from), visit("to", s.to), visit("tensor", s.tensor), visit("dtype", s.dtype), visit("bytes", s.bytes);
}
void fields(Of<Step> auto& s, auto&& visit) {
  visit("name", s.name), visit("kind", s.kind), visit("category", s.category), visit("block", s.block), visit("precision", s.precision);
  visit("out_dtype", s.out_dtype), visit("problem", s.problem), visit("kernel", s.kernel), visit("flops", s.flops);
  visit("bytes", s.bytes), visit("weight_bytes", s.weight_bytes), visit("time", s.time), visit("share", s.share), visit("ms", s.ms);
  visit("tflops", s.tflops), visit("gbytes", s.gbytes), visit("roofline", s.roofline), visit("source", s.source);
  visit("notes", s.notes), visit("refused", s.refused), visit("fp8", s.fp8), visit("fp8_reason", s.fp8_reason);
}
void fields(Of<SourceNode> auto& s, auto&& visit) {
  visit("name", s.name), visit("op", s.op), visit("block", s.block), visit("inputs", s.inputs), visit("outputs", s.outputs);
  visit("step", s.step);
}
void fields(Of<SourceEdge> auto& s, auto&& visit) { visit("from", s.from), visit("to", s.to), visit("tensor", s.tensor); }
void fields(Of<Share> auto& s, auto&& visit) {
  visit("name", s.name), visit("steps", s.steps), visit("ms", s.ms), visit("flops", s.flops), visit("bytes", s.bytes);
}
void fields(Of<Transition> auto& s, auto&& visit) {
  visit("from", s.from), visit("to", s.to), visit("edges", s.edges), visit("bytes", s.bytes);
}
void fields(Of<SiteStats> auto& s, auto&& visit) {
  visit("step", s.step), visit("tensor", s.tensor), visit("column_begin", s.column_begin), visit("column_end", s.column_end);
  visit("scale", s.scale), visit("elements", s.elements), visit("zeros", s.zeros), visit("saturated", s.saturated);
  visit("nan", s.nan), visit("largest", s.largest), visit("judged", s.judged), visit("clipped", s.clipped);
}
void fields(Of<Engine> auto& s, auto&& visit) {
  visit("label", s.label), visit("file", s.file), visit("name", s.name), visit("creator", s.creator), visit("summary", s.summary);
  visit("environment", s.environment), visit("roofs", s.roofs), visit("steps", s.steps), visit("edges", s.edges);
  visit("nodes", s.nodes), visit("node_edges", s.node_edges), visit("by_category", s.by_category);
  visit("by_precision", s.by_precision), visit("transitions", s.transitions), visit("reformat_ms", s.reformat_ms);
  visit("stray_quantizers", s.stray_quantizers), visit("sites", s.sites), visit("notes", s.notes);
}
void fields(Of<MatchedLayer::Side> auto& s, auto&& visit) {
  visit("steps", s.steps), visit("time", s.time), visit("precision", s.precision), visit("kernels", s.kernels);
}
void fields(Of<MatchedLayer> auto& s, auto&& visit) {
  visit("name", s.name), visit("category", s.category), visit("block", s.block), visit("sides", s.sides);
}
void fields(Of<Leg::Part> auto& s, auto&& visit) { visit("category", s.category), visit("ms", s.ms); }
void fields(Of<Leg> auto& s, auto&& visit) {
  visit("from", s.from), visit("to", s.to), visit("cause", s.cause), visit("from_ms", s.from_ms), visit("to_ms", s.to_ms);
  visit("speed_up", s.speed_up), visit("parts", s.parts), visit("unattributed_ms", s.unattributed_ms);
}
void fields(Of<SlowerLayer> auto& s, auto&& visit) {
  visit("from", s.from), visit("to", s.to), visit("layer", s.layer), visit("delta_ms", s.delta_ms);
  visit("beyond_noise", s.beyond_noise), visit("reason", s.reason);
}
void fields(Of<Report> auto& s, auto&& visit) {
  visit("engines", s.engines), visit("layers", s.layers), visit("waterfall", s.waterfall), visit("slower", s.slower);
}

}  // namespace octet::profile
