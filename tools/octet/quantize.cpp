// octet quantize: a checkpoint in a float type -> the same with FP8 ranges, as ModelOpt would save it.
#include "quantize.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "console.h"
#include "engine_io.h"
#include "frontends/clip.h"
#include "frontends/unified_export.h"
#include "model_inputs.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

constexpr int64_t kBatch = 32;

struct Options {
  std::string checkpoint, images, texts, output, recipe = "fp8", method = "max";
  bool per_channel = false, json = false;
  DeviceOptions device;
};

// A tower in f32, so that ranges are those of the model and not of its rounding. fill(engine): the next batch; empty at the end.
std::vector<CalibrationSite> observe(ClipGraph tower, const DeviceOptions& device, const char* what, int64_t total,
                                     const std::function<HostTensor(const plan::Plan&)>& fill) {
  CompileOptions compile_options;
  compile_options.backend = make_backend(device);
  DeviceOptions whole_batches = device;
  whole_batches.chunk = -1;
  const Engine engine = prepare_engine(compile(std::move(tower.graph), compile_options), *compile_options.backend, whole_batches);
  const auto context = engine.executable->new_context();
  Calibration calibration(*engine.plan);
  for (int64_t done = 0; done < total;) {
    const HostTensor batch = fill(*engine.plan);
    const void* input = batch.bytes().data();
    calibration.run(*context, {&input, 1}, batch.dims()[0]);
    progress(what, done += batch.dims()[0], total);
  }
  return calibration.sites();
}

DType input_type(const plan::Plan& plan) { return plan.buffers[plan.inputs[0].buffer].dtype; }

std::vector<CalibrationSite> observe_texts(const Checkpoint& checkpoint, const std::vector<std::string>& texts,
                                           const ClipExportOptions& options, const DeviceOptions& device) {
  const auto tokenizer = ClipTokenizer::load(checkpoint.dir);
  const int64_t tokens = read_clip_config(checkpoint.config).positions;
  std::span<const std::string> rest = texts;
  return observe(build_clip_text(checkpoint, options), device, "observing texts", static_cast<int64_t>(texts.size()),
                 [&](const plan::Plan& plan) {
                   const auto batch = rest.first(std::min<size_t>(rest.size(), kBatch));
                   rest = rest.subspan(batch.size());
                   return token_batch(tokenizer, batch, input_type(plan), tokens);
                 });
}

std::vector<CalibrationSite> observe_pictures(const Checkpoint& checkpoint, PictureSource& pictures, const ClipExportOptions& options,
                                              const DeviceOptions& device) {
  const auto preprocess = ClipPreprocess::load(checkpoint.dir);
  const int64_t size = read_clip_config(checkpoint.config).image_size;
  if (preprocess.width != size || preprocess.height != size)
    fail(Code::kInvalid, "preprocessor_config.json makes pictures of {}x{}, the model takes {}x{}", preprocess.width, preprocess.height,
         size, size);
  return observe(build_clip_image(checkpoint, options), device, "observing pictures", pictures.count(),
                 [&](const plan::Plan& plan) { return pixel_batch(preprocess, pictures.next(kBatch), input_type(plan)); });
}

std::string to_json(const Options& o, int64_t pictures, size_t texts, const QuantizedModel& model) {
  nlohmann::json quantizers = nlohmann::json::array();
  for (const QuantizedTensor& t : model.tensors) {
    const double sqnr = t.error.sqnr_db();
    quantizers.push_back({{"name", t.quantizer},
                          {"kind", t.weight ? "weight" : "activation"},
                          {"ranges", t.ranges},
                          {"amax", t.amax},
                          {"observed_amax", t.observed},
                          {"values", t.error.count},
                          {"clipped_percent", t.error.clipped_percent()},
                          {"sqnr_db", std::isfinite(sqnr) ? nlohmann::json(sqnr) : nlohmann::json()}});
  }
  return nlohmann::json{{"schema", "octet.quantize/1"},       {"recipe", o.recipe},   {"method", o.method},
                        {"per_channel", o.per_channel},       {"pictures", pictures}, {"texts", texts},
                        {"quantizers", std::move(quantizers)}}
             .dump(2) +
         "\n";
}

std::string to_table(const QuantizedModel& model) {
  Table table({"quantizer", "amax", "observed", "clipped %", "SQNR dB"});
  for (const QuantizedTensor& t : model.tensors)
    table.add({t.quantizer, fmt::format("{:.4g}", t.amax), fmt::format("{:.4g}", t.observed),
               fmt::format("{:.4f}", t.error.clipped_percent()), fmt::format("{:.1f}", t.error.sqnr_db())});
  return table.render();
}

int quantize(const Options& o) {
  const QuantizeOptions options{parse_quant_recipe(o.recipe), parse_range_method(o.method), o.per_channel};
  const Checkpoint checkpoint = load_checkpoint(o.checkpoint);
  if (is_unified_export(checkpoint))
    throw Error(Code::kUnsupported, fmt::format("{} is a unified export: its weights are FP8 codes already", o.checkpoint),
                "quantize the checkpoint in its float type; export reads this one as it is");
  if (!checkpoint.quant.by_name.empty()) say("{} is quantized already: its ranges are chosen anew", o.checkpoint);
  const auto texts = lines_of(o.texts);
  PictureSource pictures(o.images);
  ClipExportOptions tower;
  tower.precision = Precision::kFp32;
  std::vector<CalibrationSite> sites = observe_texts(checkpoint, texts, tower, o.device);
  for (CalibrationSite& site : observe_pictures(checkpoint, pictures, tower, o.device)) sites.push_back(std::move(site));
  const QuantizedModel model = choose_ranges(checkpoint, sites, options);
  write_quantized_checkpoint(checkpoint, model.state, o.output);
  print_out(o.json ? to_json(o, pictures.count(), texts.size(), model) : to_table(model));
  say("{}: {} quantizers, from {} pictures and {} texts", o.output, model.tensors.size(), pictures.count(), texts.size());
  return 0;
}

}  // namespace

Run add_quantize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("checkpoint", o->checkpoint, "checkpoint directory (config.json, model.safetensors, tokenizer and preprocessor)")
      ->required();
  app.add_option("--calib-images", o->images, "pictures to calibrate on: a directory or a webdataset tar")->required();
  app.add_option("--calib-texts", o->texts, "texts to calibrate on, one a line")->required();
  app.add_option("-o,--output", o->output, "directory to write")->required();
  app.add_option("--recipe", o->recipe, "fp8: linears and attention; fp8-linear: linears only")
      ->check(CLI::IsMember({"fp8", "fp8-linear"}))
      ->capture_default_str();
  app.add_option("--method", o->method, "ranges: the greatest value, the 99.99th percentile (of activations), or least squared error")
      ->check(CLI::IsMember({"max", "percentile", "mse"}))
      ->capture_default_str();
  app.add_flag("--per-channel", o->per_channel, "one range for each output of a linear, instead of one for its weight");
  app.add_flag("--json", o->json, "machine-readable statistics");
  o->device.add_to(app);
  return [o] { return quantize(*o); };
}

}  // namespace octet::cli
