// An engine for exec: built from ONNX and saved, or loaded.
#include <chrono>

#include "base/error.h"
#include "base/text.h"
#include "base/version.h"
#include "console.h"
#include "exec.h"
#include "frontends/processor.h"
#include "passes/dynamic_batch.h"
#include "passes/fix_types.h"
#include "plan/io.h"
#include "plan/layout.h"

namespace octet::cli::exec {
namespace {

// The batch that a file was exported for; nullopt if it is dynamic.
std::optional<int64_t> baked_batch(const Graph& graph) {
  for (const ValueId id : graph.inputs) {
    const auto& type = graph.value(id).type;
    if (type && !type->shape.empty() && type->shape[0].is_static()) return type->shape[0].value;
  }
  return std::nullopt;
}

// trtexec runs a static file at its own shapes, and refuses any other.
void make_dynamic(const Options& o, Graph& graph, int64_t batch) {
  if (o.gives_shapes()) {
    const std::string name = printable(graph.value(graph.inputs.at(0)).name), type = to_string(*graph.value(graph.inputs.at(0)).type);
    throw Error(Code::kUsage, fmt::format("{} is a static file: its input `{}` is {}, and takes no shapes", o.onnx, name, type),
                fmt::format("octet fix-types {} -o dynamic.onnx --dynamic-batch", o.onnx));
  }
  const auto changes = passes::make_batch_dynamic(graph);
  info(fmt::format("{} was exported for a batch of {}: the engine takes every batch ({} changes, as by octet fix-types --dynamic-batch)",
                   o.onnx, batch, changes.size()));
}

Graph load(const Options& o, std::optional<int64_t>& batch) {
  Graph graph = load_model(o.onnx);
  if (o.flags.has("--fixTypes")) {
    const auto repair = passes::fix_types(graph);
    for (const auto& change : repair.changes) info("fixTypes: " + change);
    for (const auto& note : repair.notes) info("fixTypes: note: " + note);
  }
  batch = baked_batch(graph);
  if (batch) make_dynamic(o, graph, *batch);
  return graph;
}

CompileOptions compile_options(const Options& o) {
  CompileOptions options;
  options.passes.disabled = o.flags.list("--disable-pass");
  options.passes.dump_after = o.flags.text("--dump-after");
  options.passes.dump = [](std::string_view pass, const std::string& text) { print_out(fmt::format("; after {}\n{}", pass, text)); };
  options.self_check = !o.flags.has("--no-self-check");
  options.backend = make_backend(o.device);
  options.threads = o.device.threads;
  options.processor_sha256 = processor_sha256(std::filesystem::path(o.onnx).parent_path() / "processor");
  return options;
}

void say_built(const Options& o, const CompileOptions& options, const CompileReport& report, double seconds) {
  info(fmt::format("Engine built in {:.3f} sec.", seconds));
  if (options.self_check)
    info(fmt::format("Self-check: {} distinct kernels and problems agree with the exact reference ({:.2f} s)", report.self_checks,
                     report.self_check_seconds));
  if (!o.verbose && !o.flags.has("--explain")) return;
  for (const auto& pass : report.passes) info(fmt::format("pass {}: {} rewrites, {:.1f} ms", pass.name, pass.rewrites, pass.milliseconds));
}

Prepared build(const Options& o) {
  const CompileOptions options = compile_options(o);
  CompileReport report;
  Prepared prepared;
  const auto begin = std::chrono::steady_clock::now();
  const auto plan = with_context([&] { return "building an engine from " + o.onnx; },
                                 [&] { return compile(load(o, prepared.baked_batch), options, &report); });
  say_built(o, options, report, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  if (!o.save.empty()) {
    const uint64_t bytes = plan::write(*plan, o.save);
    info(fmt::format("Created engine with size: {:.4f} MiB", static_cast<double>(bytes) / (1 << 20)));
  }
  prepared.engine = prepare_engine(plan, *options.backend, o.device);
  return prepared;
}

}  // namespace

Prepared prepare(const Options& o) {
  if (!o.onnx.empty()) return build(o);
  Prepared prepared{load_engine(o.load, o.device), std::nullopt};
  info(fmt::format("Engine loaded in {:.4f} sec.", prepared.engine.seconds));
  return prepared;
}

void print_plan_version(const Options& o) {
  const auto file = MappedFile::open(o.load);
  plan::Layout layout;
  if (const auto wrong = plan::check_layout(file->bytes(), layout); !wrong.empty())
    throw Error(Code::kInvalid, fmt::format("{} is not a usable engine: {}", o.load, join(wrong, "; ")),
                "build it again from its ONNX file");
  info(fmt::format("Plan was created with {}, format version {}; this is octet {}", printable(layout.creator), plan::kFormatVersion,
                   build_version()));
}

// At most as often as trtexec, and as five seconds allow.
void time_loading(const Options& o) {
  constexpr int kMost = 20, kLeast = 3;
  constexpr double kSeconds = 5;
  double total = 0, first = 0;
  int count = 0;
  while (count < kLeast || (count < kMost && total < kSeconds)) {
    const double seconds = load_engine(o.load, o.device).seconds;
    if (count++ == 0) first = seconds;
    total += seconds;
  }
  info(fmt::format(
      "Total deserialization time = {:.6g} milliseconds in {} iterations, average time = {:.6g} milliseconds, first time = {:.6g} "
      "milliseconds. It reads, checks and prepares the engine for this machine.",
      1e3 * total, count, 1e3 * total / count, 1e3 * first));
}

}  // namespace octet::cli::exec
