// octet demo: the main job on the shipped checkpoint, each stage with its own subcommand.
// checkpoint -> ONNX (FP16, FP8) -> type check -> four engines -> timing at batch 128 -> zero-shot accuracy -> one table.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/text.h"
#include "console.h"
#include "engine_io.h"
#include "export_files.h"
#include "formats/tar.h"
#include "frontends/processor.h"
#include "plan/io.h"
#include "profile/timing.h"
#include "subcommand.h"
#include "zero_shot.h"

namespace octet::cli {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kBatch = 128;

struct Options {
  std::string checkpoint = "models/clip-cifar10-fp8", data = "data/cifar10", output = "out";
  profile::TimingOptions timing;
  DeviceOptions device;
};

struct Tower {
  std::string name, precision;
  fs::path onnx, plan;
  uint64_t onnx_bytes = 0, plan_bytes = 0;
  Engine engine;
  profile::Summary timing;
};

// "[ 3.2 s] build   image fp8 ..." on stderr: the demo always says what it is doing.
class Stages {
 public:
  template <class... Args>
  void say_stage(std::string_view stage, fmt::format_string<Args...> format, Args&&... args) const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    say("[{:5.1f} s] {:8} {}", seconds, stage, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

std::vector<Tower> export_all(const Options& o, const Checkpoint& checkpoint, const Stages& stages) {
  std::vector<Tower> towers;
  for (const Precision precision : {Precision::kFp16, Precision::kFp8}) {
    ClipExportOptions options;
    options.precision = precision;
    for (auto& file : export_towers(checkpoint, options, "both", fs::path(o.output) / name_of(precision))) {
      stages.say_stage("export", "{} {}: {} ({})", file.tower, name_of(precision), file.path.string(), human_bytes(file.bytes));
      Tower tower;
      tower.name = file.tower;
      tower.precision = name_of(precision);
      tower.onnx = file.path;
      tower.plan = fs::path(file.path).replace_extension(".plan");
      tower.onnx_bytes = file.bytes;
      towers.push_back(std::move(tower));
    }
  }
  return towers;
}

void build(Tower& tower, const Options& o, const Stages& stages) {
  Graph graph = load_model(tower.onnx);
  check_types(graph);
  stages.say_stage("check", "{} {}: {} nodes, strongly typed, no violation", tower.name, tower.precision, graph.node_count());
  CompileOptions options;
  options.threads = o.device.threads;
  options.processor_sha256 = processor_sha256(tower.onnx.parent_path() / "processor");
  options.backend = make_backend(o.device);
  CompileReport report;
  const auto plan = compile(std::move(graph), options, &report);
  tower.plan_bytes = plan::write(*plan, tower.plan);
  tower.engine = load_engine(tower.plan, o.device);  // what is timed is what was saved
  stages.say_stage("build", "{} {}: {} steps, {} kernels self-checked, {} ({:.1f} s)", tower.name, tower.precision, plan->steps.size(),
                   report.self_checks, human_bytes(tower.plan_bytes), report.seconds + report.self_check_seconds);
}

void time_tower(Tower& tower, const Options& o, const Stages& stages) {
  const auto context = tower.engine.executable->new_context();
  Tensors tensors = random_tensors(*tower.engine.plan, kBatch);
  context->reserve(kBatch);
  const Bound bound = bind(tower.engine, tensors);
  const auto run = [&] {
    context->run(kBatch, bound.in, bound.out, nullptr);
    return context->last_times();
  };
  tower.timing = profile::summarize(profile::measure(run, o.timing), o.timing.percentiles);
  stages.say_stage("exec", "{} {}: median {:.2f} ms at batch {}, {:.0f} items/s", tower.name, tower.precision, tower.timing.median, kBatch,
                   1000.0 * kBatch / tower.timing.median);
}

const Tower& find(const std::vector<Tower>& towers, const std::string& name, const std::string& precision) {
  for (const Tower& t : towers)
    if (t.name == name && t.precision == precision) return t;
  fail(Code::kInternal, "no tower {} {}", name, precision);
}

std::string table(const std::vector<Tower>& towers, const std::map<std::string, ZeroShotResult>& accuracy) {
  Table t({"tower", "precision", "ONNX", "engine", "latency (batch 128)", "speed-up", "zero-shot top-1"});
  for (const std::string name : {"image", "text"})
    for (const std::string precision : {"fp16", "fp8"}) {
      const Tower& tower = find(towers, name, precision);
      const double base = find(towers, name, "fp16").timing.median;
      const ZeroShotResult& r = accuracy.at(precision);
      t.add({name, precision, human_bytes(tower.onnx_bytes), human_bytes(tower.plan_bytes), fmt::format("{:.2f} ms", tower.timing.median),
             fmt::format("{:.2f}x", base / tower.timing.median),
             fmt::format("{:.1f} % [{:.1f}, {:.1f}]", 100 * r.top1, 100 * r.low, 100 * r.high)});
    }
  return t.render();
}

// The first five pictures of different classes, with the caption the FP8 engines like best.
std::string captions(const Options& o, const ZeroShotResult& r) {
  Table t({"picture", "best caption", "probability", "truth"});
  std::vector<bool> shown(r.names.size(), false);
  int count = 0;
  const fs::path directory = fs::path(o.output) / "pictures";
  fs::create_directories(directory);
  TarSamples samples(fs::path(o.data) / "eval.tar");
  for (size_t i = 0; count < 5; ++i) {
    const auto sample = samples.next();
    if (!sample || i >= r.best.size()) break;
    const auto label = static_cast<size_t>(r.labels[i]);
    if (shown[label]) continue;
    shown[label] = true;
    ++count;
    const auto bytes = sample->parts.at("jpg");
    const fs::path file = directory / (sample->key + ".jpg");
    write_text(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    t.add({file.string(), fill_template("a photo of a {}", r.names[static_cast<size_t>(r.best[i])]),
           fmt::format("{:.1f} %", 100 * r.probability[i]), r.names[label]});
  }
  return t.render();
}

int demo(const Options& o) {
  const Stages stages;
  const Checkpoint checkpoint = load_checkpoint(o.checkpoint);
  stages.say_stage(
      "read", "{}: {} tensors, {} quantizers on (ModelOpt {})", o.checkpoint, checkpoint.tensors.names().size(),
      std::count_if(checkpoint.quant.by_name.begin(), checkpoint.quant.by_name.end(), [](auto& q) { return q.second.enabled; }),
      checkpoint.quant.modelopt_version);
  std::vector<Tower> towers = export_all(o, checkpoint, stages);
  for (Tower& tower : towers) build(tower, o, stages);
  for (Tower& tower : towers) time_tower(tower, o, stages);
  std::map<std::string, ZeroShotResult> accuracy;
  const fs::path data(o.data);
  for (const std::string precision : {"fp16", "fp8"}) {
    const fs::path processor = fs::path(o.output) / precision / "processor";
    accuracy[precision] = zero_shot(find(towers, "text", precision).engine, find(towers, "image", precision).engine,
                                    {data / "eval.tar", data / "classes.txt", data / "prompts.txt", processor});
    stages.say_stage("eval", "{}: top-1 {:.1f} % of {} pictures", precision, 100 * accuracy[precision].top1, accuracy[precision].n);
  }
  print_out(fmt::format("\ndevice: {}\n{}", towers[0].engine.device, table(towers, accuracy)));
  print_out(
      "On the CPU an exact f16 product costs several bf16 ones and FP8 costs one, so this ratio flatters FP8: docs/performance.md.\n\n");
  print_out(captions(o, accuracy["fp8"]));
  print_out("\nwritten:\n");
  for (const Tower& tower : towers) print_out(fmt::format("  {}\n  {}\n", tower.onnx.string(), tower.plan.string()));
  print_out(fmt::format("  {}/fp16/processor/  {}/fp8/processor/  {}/pictures/\n", o.output, o.output, o.output));
  stages.say_stage("done", "");
  return 0;
}

}  // namespace

Run add_demo(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("checkpoint", o->checkpoint, "CLIP checkpoint with FP8 quantizers")->capture_default_str();
  app.add_option("--data", o->data, "directory with eval.tar, classes.txt, prompts.txt")->capture_default_str();
  app.add_option("-o,--output,--out", o->output, "directory to write")->capture_default_str();
  app.add_option("--iterations", o->timing.iterations, "at least this many timed runs")->capture_default_str();
  app.add_option("--duration", o->timing.duration_s, "at least this many seconds of timed runs")->capture_default_str();
  o->device.add_to(app);
  return [o] { return demo(*o); };
}

}  // namespace octet::cli
