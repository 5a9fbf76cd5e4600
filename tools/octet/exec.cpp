// octet exec: build, save, load and time an engine. The flags and the report are trtexec's (10.16).
#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "console.h"
#include "engine_io.h"
#include "explain.h"
#include "frontends/processor.h"
#include "passes/fix_types.h"
#include "plan/io.h"
#include "profile/layers.h"
#include "profile/timing_report.h"
#include "shapes.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string onnx, load, save, shapes, dump_after, export_profile;
  std::vector<std::string> disabled_passes;
  bool no_transfers = false, dump_profile = false, ignored = false;
  bool strongly_typed = true, skip_inference = false, no_self_check = false, explain = false, fix_types = false;
  profile::TimingOptions timing;
  std::string percentiles = "90,95,99";
  DeviceOptions device;
};

// trtexec's prefix: "[11/23/2026-22:49:15] [I] ".
void info(const std::string& line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "[%m/%d/%Y-%H:%M:%S]", &local);
  print_out(fmt::format("{} [I] {}\n", stamp, line));
}

Graph load(const Options& o) {
  Graph graph = load_model(o.onnx);
  if (!o.fix_types) return graph;
  const auto repair = passes::fix_types(graph);
  for (const auto& change : repair.changes) info("fixTypes: " + change);
  for (const auto& note : repair.notes) info("fixTypes: note: " + note);
  return graph;
}

Engine build(const Options& o) {
  CompileOptions options;
  options.passes.disabled = o.disabled_passes;
  options.passes.dump_after = o.dump_after;
  options.passes.dump = [](std::string_view pass, const std::string& text) { print_out(fmt::format("; after {}\n{}", pass, text)); };
  options.self_check = !o.no_self_check;
  options.backend = make_backend(o.device);
  options.threads = o.device.threads;
  const std::filesystem::path path(o.onnx);
  options.processor_sha256 = processor_sha256(path.parent_path() / "processor");
  CompileReport report;
  const auto begin = std::chrono::steady_clock::now();
  const auto plan = with_context([&] { return "building an engine from " + o.onnx; }, [&] { return compile(load(o), options, &report); });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  info(fmt::format("Engine built in {:.3f} sec.", seconds));
  if (options.self_check)
    info(fmt::format("Self-check: {} distinct kernels and problems agree with the exact reference ({:.2f} s)", report.self_checks,
                     report.self_check_seconds));
  for (const auto& pass : report.passes)
    if (o.explain) info(fmt::format("pass {}: {} rewrites, {:.1f} ms", pass.name, pass.rewrites, pass.milliseconds));
  if (!o.save.empty()) {
    const uint64_t bytes = plan::write(*plan, o.save);
    info(fmt::format("Created engine with size: {:.4f} MiB", static_cast<double>(bytes) / (1 << 20)));
  }
  return prepare_engine(plan, *options.backend, o.device);
}

// trtexec's --device=N.
void resolve_number(DeviceOptions& options) {
  if (options.device.empty() || options.device.find_first_not_of("0123456789") != std::string::npos) return;
  const std::string number = options.device;
  options.device = "cuda:" + number;
  try {
    info(fmt::format("--device={} is {}", number, make_backend(options)->name()));
  } catch (const Error& error) {
    options.device = "cpu";
    info(fmt::format("--device={}: {}; the engine runs on the CPU", number, error.message()));
  }
}

Engine open(const Options& o) {
  if (!o.onnx.empty()) return build(o);
  Engine engine = load_engine(o.load, o.device);
  info(fmt::format("Engine loaded in {:.4f} sec.", engine.seconds));
  return engine;
}

// A separate pass, step by step, at times of its own. Steps that overlap in the timed runs (a graph, dependent launches) add up to
// more here.
profile::LayerProfile profile_steps(const Engine& engine, Context& context, int64_t batch, const Bound& bound) {
  constexpr int kRuns = 11;
  profile::LayerProfile profile{batch, engine.device, engine.plan->name};
  for (size_t i = 0; i < engine.plan->steps.size(); ++i) {
    const plan::Step& step = engine.plan->steps[i];
    profile.layers.push_back(
        {step.name, std::string(plan::kind_of(step.op)), plan::problem_of(*engine.plan, step, batch), engine.executable->kernel(i, batch)});
  }
  const StepHook hook = [&](const StepEvent& event) { profile.layers[event.step].ms.back() += event.nanoseconds * 1e-6; };  // chunks add up
  for (int i = 0; i < kRuns; ++i) {
    for (auto& layer : profile.layers) layer.ms.push_back(0);
    context.run(batch, bound.in, bound.out, &hook);
  }
  return profile;
}

void print_profile(const profile::LayerProfile& profile) {
  double total = 0;
  for (const auto& layer : profile.layers) total += layer.median();
  if (!profile.layers.empty()) info(fmt::format("=== Profile: median of {} runs, step by step ===", profile.layers.front().ms.size()));
  for (const auto& layer : profile.layers)
    info(fmt::format("{:8.4f} ms {:5.1f} %  {}  {}  {}", layer.median(), 100 * layer.median() / total, layer.name, layer.problem,
                     layer.kernel));
  info(fmt::format("{:8.4f} ms total", total));
}

void time_engine(const Options& o, const Engine& engine) {
  const int64_t batch = batch_of(*engine.plan, parse_shapes(o.shapes));
  const auto context = engine.executable->new_context();
  Tensors tensors = random_tensors(*engine.plan, batch);
  context->reserve(batch);
  info(fmt::format("Device: {}, weights {}, arena {} at batch {}", engine.device, human_bytes(engine.executable->weight_bytes()),
                   human_bytes(engine.executable->arena_bytes(batch)), batch));
  info("Starting inference");
  const Bound bound = bind(engine, tensors);
  const auto run = [&] {
    context->run(batch, bound.in, bound.out, nullptr);
    return context->last_times();
  };
  if (o.no_transfers) run(), context->set_transfers(false);
  const auto timing = profile::measure(run, o.timing);
  for (const auto& line : engine.executable->memory_report(batch)) info(line);
  for (const auto& line : profile::report_lines(timing, o.timing, {.batch = batch}))
    if (line.level != 'V') info(line.text);
  if (!o.dump_profile && o.export_profile.empty()) return;
  profile::LayerProfile profile = profile_steps(engine, *context, batch, bound);
  profile.compute_ms = profile::summarize(timing, {}, &profile::Run::compute_ms).median;
  if (o.dump_profile) print_profile(profile);
  if (o.export_profile.empty()) return;
  write_text(o.export_profile, profile::to_json(profile));
  info("Profile written to " + o.export_profile);
}

int exec(Options& o, const std::string& command_line) {
  if (o.onnx.empty() == o.load.empty())
    throw Error(Code::kUsage, "give one of --onnx=FILE and --loadEngine=FILE", "octet exec --onnx=model.onnx --saveEngine=model.plan");
  if (!o.load.empty() && !o.save.empty()) throw Error(Code::kUsage, "--saveEngine goes with --onnx", "copy the engine file instead");
  o.timing.percentiles.clear();
  for (const auto& p : split(o.percentiles, ',')) o.timing.percentiles.push_back(std::stod(p));
  const std::string tag = fmt::format("octet.exec [octet v{}] # {}", build_version(), command_line);
  print_out("&&&& RUNNING " + tag + "\n");
  try {
    resolve_number(o.device);
    const Engine engine = open(o);
    if (o.explain) print_out(explain_engine(engine));
    if (!o.skip_inference) time_engine(o, engine);
  } catch (...) {
    print_out("&&&& FAILED " + tag + "\n");
    throw;
  }
  print_out("&&&& PASSED " + tag + "\n");
  return 0;
}

}  // namespace

Run add_exec(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("--onnx", o->onnx, "ONNX file to build from");
  app.add_option("--loadEngine", o->load, "engine file to load");
  app.add_option("--saveEngine", o->save, "where to write the built engine");
  app.add_option("--shapes", o->shapes, "input shapes: name:128x3x224x224,... (default: batch 1)");
  app.add_flag("--stronglyTyped", o->strongly_typed, "types as the file says: octet's only mode");
  app.add_flag("--fixTypes", o->fix_types, "mend float types that contradict each other first, as octet fix-types does");
  app.add_option("--iterations", o->timing.iterations, "at least this many timed runs")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_option("--duration", o->timing.duration_s, "at least this many seconds of timed runs")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("--warmUp", o->timing.warm_up_ms, "milliseconds before timing starts")->check(CLI::Range(0.0, 1e7))->capture_default_str();
  app.add_option("--percentile", o->percentiles, "percentiles of the report")
      ->check(CLI::Validator(
          [](std::string& text) {
            for (const auto& p : split(text, ',')) {
              char* end = nullptr;
              const double value = std::strtod(p.c_str(), &end);
              if (p.empty() || *end != 0 || !(value >= 0 && value <= 100)) return std::string("not a list of percentages: " + text);
            }
            return std::string();
          },
          "P,P,..."))
      ->capture_default_str();
  app.add_flag("--noDataTransfers", o->no_transfers, "time the compute alone: inputs and outputs stay on the GPU");
  app.add_flag("--useCudaGraph", o->ignored, "octet always replays a CUDA graph when a batch size returns");
  app.add_flag("--useSpinWait", o->ignored, "octet always waits so");
  app.add_flag("--dumpProfile", o->dump_profile, "each step's time, measured in a pass of its own");
  app.add_option("--exportProfile", o->export_profile, "the same as JSON, to a file");
  app.add_flag("--skipInference", o->skip_inference, "stop once the engine is built or loaded");
  app.add_option("--disable-pass", o->disabled_passes, "switch a compiler pass off (may be repeated)");
  app.add_option("--dump-after", o->dump_after, "print the graph after this pass, or `all`");
  app.add_flag("--no-self-check", o->no_self_check, "skip the build's self-check");
  app.add_flag("--explain", o->explain, "what each step runs as, and why nothing better");
  o->device.add_to(app);
  return [o, &app] {
    std::string command_line = "octet exec";
    for (const CLI::Option* option : app.get_options())
      if (option->count() > 0 && !option->get_lnames().empty())
        command_line += " --" + option->get_lnames()[0] + (option->get_type_size() > 0 ? "=" + join(option->results(), ",") : "");
    return exec(*o, command_line);
  };
}

}  // namespace octet::cli
