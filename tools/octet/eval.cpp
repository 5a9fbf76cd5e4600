// octet eval: zero-shot top-1 / top-5 of a directory with text and image engines (or ONNX files), or of a checkpoint.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "console.h"
#include "export_files.h"
#include "subcommand.h"
#include "zero_shot.h"

namespace octet::cli {
namespace {

struct Options {
  std::string source, precision = "fp8", processor, predictions;
  ZeroShotInputs inputs;
  bool json = false;
  DeviceOptions device;
};

// Removed with all that is in it when the last copy goes.
std::shared_ptr<const std::filesystem::path> temporary_directory() {
  auto path = std::make_unique<std::filesystem::path>(std::filesystem::temp_directory_path() / fmt::format("octet-eval-{}", ::getpid()));
  return {path.release(), [](const std::filesystem::path* directory) {
            std::error_code ignored;
            std::filesystem::remove_all(*directory, ignored);
            delete directory;
          }};
}

struct Towers {
  Engine text, image;
  std::filesystem::path processor;
  std::shared_ptr<const std::filesystem::path> exported;  // what a checkpoint was exported to, with the processor/
};

// The first of DIR/STEM.plan and DIR/STEM.onnx that exists.
std::filesystem::path tower_file(const std::filesystem::path& directory, const std::string& stem) {
  for (const char* extension : {".plan", ".onnx"})
    if (std::filesystem::exists(directory / (stem + extension))) return directory / (stem + extension);
  throw Error(Code::kIo, fmt::format("{} has neither {}.plan nor {}.onnx", directory.string(), stem, stem),
              "export a checkpoint there: octet export CKPT -o " + directory.string());
}

Towers open_towers(const Options& o) {
  const std::filesystem::path source(o.source);
  if (!std::filesystem::exists(source / "config.json"))
    return {open_engine(tower_file(source, "text"), o.device), open_engine(tower_file(source, "image"), o.device), source / "processor",
            nullptr};
  const auto directory = temporary_directory();
  ClipExportOptions options;
  options.precision = parse_precision(o.precision);
  const Checkpoint checkpoint = load_checkpoint(source);
  export_towers(checkpoint, options, "both", *directory);
  return {open_engine(*directory / "text.onnx", o.device), open_engine(*directory / "image.onnx", o.device), *directory / "processor",
          directory};
}

// A line a picture: its key, the predicted class, the true class; tabs between. Two such files tell how often two engines agree.
void write_predictions(const ZeroShotResult& r, const std::filesystem::path& path) {
  std::string text;
  for (size_t i = 0; i < r.best.size(); ++i)
    text += fmt::format("{}\t{}\t{}\n", r.keys[i], r.names[static_cast<size_t>(r.best[i])], r.names[static_cast<size_t>(r.labels[i])]);
  write_text(path, text);
}

int eval(Options& o) {
  const Towers towers = open_towers(o);
  o.inputs.processor = o.processor.empty() ? towers.processor : std::filesystem::path(o.processor);
  const ZeroShotResult r = zero_shot(towers.text, towers.image, o.inputs);
  if (!o.predictions.empty()) write_predictions(r, o.predictions);
  if (o.json)
    print_out(nlohmann::json{{"top1", r.top1}, {"top5", r.top5}, {"n", r.n}, {"top1_low", r.low}, {"top1_high", r.high}}.dump(2) + "\n");
  else
    print_out(fmt::format("top-1 {:.2f} % (95 % interval {:.1f} to {:.1f}), top-5 {:.2f} %, {} pictures\n", 100 * r.top1, 100 * r.low,
                          100 * r.high, 100 * r.top5, r.n));
  return 0;
}

}  // namespace

Run add_eval(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("source", o->source, "directory with text and image engines or ONNX files and processor/, or a checkpoint")->required();
  app.add_option("--precision", o->precision, "of a checkpoint's export")
      ->check(CLI::IsMember({"fp8", "fp16", "bf16", "fp32"}))
      ->capture_default_str();
  app.add_option("--images", o->inputs.images, "webdataset tar of NAME.jpg and NAME.cls")->required();
  app.add_option("--classes", o->inputs.classes, "class names, one a line")->required();
  app.add_option("--prompts", o->inputs.prompts, "templates with {}, one a line")->required();
  app.add_option("--processor", o->processor, "processor/ directory (default: beside the engines)");
  app.add_option("--predictions", o->predictions, "write every picture's key, predicted and true class here, a line each");
  app.add_flag("--json", o->json, "machine-readable output");
  o->device.add_to(app);
  return [o] { return eval(*o); };
}

}  // namespace octet::cli
