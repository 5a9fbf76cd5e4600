#include "profile/collect.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "base/error.h"
#include "plan/uses.h"
#include "profile/estimate.h"
#include "profile/work.h"

namespace octet::profile {
namespace {

bool is_quantizer(std::string_view op) { return op == "QuantizeLinear" || op == "DequantizeLinear"; }

// Why a step does not multiply e4m3, and whether it does.
void say_fp8(const plan::Plan& plan, const plan::Operation& op, const std::vector<SourceNode>& nodes, bool products, Step& step) {
  if (!products) {
    step.fp8 = "n/a", step.fp8_reason = "no matrix product";
    return;
  }
  step.fp8 = step.precision == "e4m3" ? "yes" : "no";
  if (step.fp8 == "yes") return;
  const bool quantized = std::ranges::any_of(step.source, [&](uint32_t node) { return is_quantizer(nodes[node].op); });
  const auto* patches = std::get_if<plan::PatchEmbed>(&op);
  if (patches && plan.weights.at(patches->weight).dtype == DType::e4m3) {
    step.fp8 = "partly";
    step.fp8_reason = fmt::format("its weight is e4m3, its pixels are {}: multiplied in {}", step.precision, step.precision);
  } else if (!step.notes.empty() && quantized) {
    step.fp8_reason = step.notes.front();
  } else if (step.category == "attention" || step.category == "unfused attention") {
    const auto* fused = std::get_if<plan::Attention>(&op);
    step.fp8_reason = fused && fused->p_scale > 0 ? "the model quantizes the softmax alone, not q, k and v: that speeds nothing"
                                                  : "the model does not quantize q, k, v and the softmax";
  } else if (quantized && step.out_dtype == "e4m3") {
    step.fp8_reason = fmt::format("its output is quantized; its input is {} in the model, without Q/DQ", step.precision);
  } else {
    step.fp8_reason = fmt::format("the model has no Q/DQ on its input: it is {} there", step.precision);
  }
}

void add_source(const plan::Source& source, Engine& engine) {
  std::map<std::string_view, uint32_t> producer;
  for (const plan::SourceNode& node : source.nodes) {
    const auto index = static_cast<uint32_t>(engine.nodes.size());
    for (const std::string& out : node.outputs)
      if (!out.empty()) producer.emplace(out, index);
    engine.nodes.push_back({node.name, node.op, block_of(node.name), node.inputs, node.outputs, -1});
  }
  for (uint32_t to = 0; to < source.nodes.size(); ++to)
    for (const std::string& in : source.nodes[to].inputs)
      if (const auto from = producer.find(in); from != producer.end()) engine.node_edges.push_back({from->second, to, in});
  for (size_t step = 0; step < source.steps.size(); ++step)
    for (const uint32_t node : source.steps[step]) engine.nodes.at(node).step = static_cast<int64_t>(step);
}

// Nodes without a numbered name of their own lie where their step does.
void inherit_blocks(Engine& engine) {
  for (SourceNode& node : engine.nodes)
    if (node.block.empty() && node.step >= 0) node.block = engine.steps[static_cast<size_t>(node.step)].block;
}

void add_edges(const plan::Plan& plan, int64_t batch, Engine& engine) {
  std::map<plan::Id, int64_t> writer;
  const auto edge = [&](int64_t from, int64_t to, plan::Id id) {
    const plan::Buffer& buffer = plan.buffers[id];
    engine.edges.push_back(
        {from, to, buffer.name, std::string(name_of(buffer.dtype)), plan::bytes_per_item(buffer) * static_cast<uint64_t>(batch)});
  };
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    std::vector<plan::Id> reads = plan::reads_of(plan.steps[i].op);
    std::ranges::sort(reads);
    reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
    for (const plan::Id id : reads) {
      const auto from = writer.find(id);
      edge(from == writer.end() ? -1 : from->second, static_cast<int64_t>(i), id);
    }
    writer[plan::out_of(plan.steps[i].op)] = static_cast<int64_t>(i);
  }
  for (const plan::Binding& output : plan.outputs) edge(writer.at(output.buffer), -1, output.buffer);
}

Step describe_step(const plan::Plan& plan, size_t i, const Executable& executable, int64_t batch, const std::vector<SourceNode>& nodes) {
  const plan::Step& from = plan.steps[i];
  const Work work = work_of(plan, from.op, batch);
  Step step;
  step.name = from.name;
  step.kind = plan::kind_of(from.op);
  step.category = work.category;
  step.block = block_of(from.name);
  step.precision = work.precision;
  step.out_dtype = name_of(plan.buffers[plan::out_of(from.op)].dtype);
  step.problem = plan::problem_of(plan, from, batch);
  step.kernel = executable.kernel(i, batch);
  // A GPU runs the fused step in several launches where OCTET_CUDA_ROWS asks for it.
  if (step.category == "attention" && step.kernel.find("unfused") != std::string::npos) step.category = "unfused attention";
  step.flops = work.flops;
  step.bytes = work.bytes;
  step.weight_bytes = work.weight_bytes;
  if (i < plan.source.steps.size()) step.source = plan.source.steps[i];
  step.notes = from.notes;
  step.refused = executable.choices()[i].refused;
  say_fp8(plan, from.op, nodes, work.products, step);
  return step;
}

// Steps by a name of theirs. ms is the median over the runs of their sum: what disturbs a run is in it, as it is in whole runs.
std::vector<Share> shares_of(const Engine& engine, const std::function<std::string(const Step&)>& name_of) {
  std::vector<Share> shares;
  std::vector<std::vector<double>> runs;
  for (const Step& step : engine.steps) {
    const std::string name = name_of(step);
    auto found = std::ranges::find(shares, name, &Share::name);
    if (found == shares.end()) {
      found = shares.insert(shares.end(), Share{name});
      runs.emplace_back(step.ms.size());
    }
    ++found->steps, found->flops += step.flops, found->bytes += step.bytes;
    std::vector<double>& sums = runs[static_cast<size_t>(found - shares.begin())];
    for (size_t run = 0; run < sums.size(); ++run) sums[run] += step.ms[run];
  }
  for (size_t i = 0; i < shares.size(); ++i) shares[i].ms = median_of(runs[i]);
  return shares;
}

}  // namespace

std::string block_of(std::string_view name) {
  for (size_t begin = 0; begin < name.size();) {
    size_t end = name.find_first_of("./", begin);
    if (end == std::string_view::npos) end = name.size();
    const std::string_view part = name.substr(begin, end - begin);
    if (!part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos) return std::string(name.substr(0, end));
    begin = end + 1;
  }
  return "";
}

Engine describe(const plan::Plan& plan, const Executable& executable, int64_t batch) {
  Engine engine;
  engine.name = plan.name;
  engine.creator = plan.creator;
  engine.summary.batch = batch;
  for (const auto bytes : plan.weight_bytes) engine.summary.weight_bytes += bytes.size();
  engine.summary.resident_weight_bytes = executable.weight_bytes();
  engine.summary.arena_bytes = executable.arena_bytes(batch);
  add_source(plan.source, engine);
  for (size_t i = 0; i < plan.steps.size(); ++i) engine.steps.push_back(describe_step(plan, i, executable, batch, engine.nodes));
  inherit_blocks(engine);
  add_edges(plan, batch, engine);
  for (uint32_t i = 0; i < engine.nodes.size(); ++i) {
    const SourceNode& node = engine.nodes[i];
    if (!is_quantizer(node.op) || node.step < 0) continue;
    const Step& step = engine.steps[static_cast<size_t>(node.step)];
    if (step.precision != "e4m3" && step.out_dtype != "e4m3") engine.stray_quantizers.push_back(i);
  }
  return engine;
}

StepTimes time_steps(Context& context, size_t steps, int64_t batch, std::span<const void* const> inputs, std::span<void* const> outputs,
                     const StepTimingOptions& options) {
  using clock = std::chrono::steady_clock;
  const auto start = clock::now();
  const auto now = [&] { return std::chrono::duration<double, std::milli>(clock::now() - start).count(); };
  StepTimes times;
  times.ms.resize(steps);
  double at = 0;
  const StepHook hook = [&](const StepEvent& event) {
    const double ms = event.nanoseconds * 1e-6;
    times.ms[event.step].back() += ms;  // chunks of the batch add up
    const auto run = static_cast<int>(times.ms[event.step].size()) - 1;
    if (run < options.traced_runs) times.events.push_back({run, event.step, event.first_item, event.items, at, ms});
    at += ms;
  };
  for (int run = 0; run < options.most_runs && (run < options.least_runs || now() < options.seconds * 1e3); ++run) {
    for (auto& step : times.ms) step.push_back(0);
    at = now();
    context.run(batch, inputs, outputs, &hook);
    if (!options.plain_runs) continue;
    const double begin = now();
    context.run(batch, inputs, outputs, nullptr);
    const double wall = now() - begin;
    const auto device = context.last_times();
    times.plain_ms.push_back(device ? device->compute_ms : wall);
  }
  return times;
}

void add_times(Engine& engine, const StepTimes& times, const Timing& timing) {
  OCTET_CHECK(times.ms.size() == engine.steps.size(), times.ms.size(), engine.steps.size());
  EngineSummary& s = engine.summary;
  std::vector<double> latencies, computes, walls, sums(times.plain_ms.size());
  for (const Run& run : timing.runs)
    latencies.push_back(run.latency_ms()), computes.push_back(run.compute_ms()), walls.push_back(run.wall_ms());
  const Summary all = summarize(timing, {90, 99});
  s.runs = static_cast<int>(timing.runs.size()), s.warm_up_runs = timing.warm_up_runs, s.warm_up_ms = timing.warm_up_ms;
  s.profiled_runs = static_cast<int>(sums.size());
  s.end_to_end = estimate(latencies);
  s.compute_ms = median_of(computes), s.wall_ms = median_of(walls);
  s.min = all.min, s.mean = all.mean, s.coefficient_of_variation = all.coefficient_of_variation;
  if (!all.percentiles.empty()) s.p90 = all.percentiles[0].second, s.p99 = all.percentiles[1].second;
  s.items_per_second = all.throughput * static_cast<double>(s.batch);
  double total = 0;
  for (size_t i = 0; i < engine.steps.size(); ++i) {
    Step& step = engine.steps[i];
    step.ms = times.ms[i];
    step.time = estimate(step.ms);
    total += step.time.median;
    for (size_t run = 0; run < sums.size(); ++run) sums[run] += step.ms[run];
    const double seconds = step.time.median * 1e-3;
    step.tflops = seconds > 0 ? step.flops / seconds * 1e-12 : 0;
    step.gbytes = seconds > 0 ? static_cast<double>(step.bytes) / seconds * 1e-9 : 0;
  }
  for (Step& step : engine.steps) step.share = total > 0 ? 100 * step.time.median / total : 0;
  s.sum_of_steps = estimate(sums);
  s.plain_ms = median_of(times.plain_ms);
  s.gap_ms = s.sum_of_steps.median - s.plain_ms;
  s.gap_percent = s.plain_ms > 0 ? 100 * s.gap_ms / s.plain_ms : 0;
}

void add_rooflines(Engine& engine, const RoofOf& roof_of) {
  const auto rate = [&](auto&& wanted) {
    const auto found = std::ranges::find_if(engine.roofs, wanted);
    return found == engine.roofs.end() ? nullptr : &*found;
  };
  const Roof* memory = rate([](const Roof& roof) { return roof.memory; });
  for (Step& step : engine.steps) {
    const auto needed = roof_of(step);  // no structured binding: clang 14, which builds the fuzzers, cannot capture one
    const double products = needed.second;
    const Roof* compute = rate([&](const Roof& roof) { return !roof.memory && roof.name == needed.first; });
    const double compute_ms = compute && compute->rate > 0 ? 1e3 * step.flops * products / compute->rate : 0;
    const double memory_ms = memory && memory->rate > 0 ? 1e3 * static_cast<double>(step.bytes) / memory->rate : 0;
    if (compute_ms == 0 && memory_ms == 0) continue;
    const bool by_compute = compute_ms >= memory_ms;
    step.roofline = {by_compute ? compute->name : memory->name, 0, std::max(compute_ms, memory_ms), by_compute ? products : 1};
    if (step.time.median > 0) step.roofline.percent = 100 * step.roofline.roof_ms / step.time.median;
  }
}

void add_tables(Engine& engine) {
  engine.transitions.clear();
  engine.by_category = shares_of(engine, [](const Step& step) { return step.category; });
  engine.by_precision = shares_of(engine, [](const Step& step) { return step.precision; });
  std::vector<Share> ordered;
  for (const char* category : kCategories)
    for (const Share& share : engine.by_category)
      if (share.name == category) ordered.push_back(share);
  engine.by_category = std::move(ordered);
  engine.reformat_ms = 0;
  for (const Share& share : engine.by_category)
    if (share.name == "reformat" || share.name == "copy") engine.reformat_ms += share.ms;
  for (const StepEdge& edge : engine.edges) {
    if (edge.from < 0 || edge.to < 0) continue;
    const std::string &from = engine.steps[static_cast<size_t>(edge.from)].precision,
                      &to = engine.steps[static_cast<size_t>(edge.to)].precision;
    auto found = std::ranges::find_if(engine.transitions, [&](const Transition& t) { return t.from == from && t.to == to; });
    if (found == engine.transitions.end()) found = engine.transitions.insert(engine.transitions.end(), Transition{from, to});
    ++found->edges, found->bytes += edge.bytes;
  }
}

}  // namespace octet::profile
