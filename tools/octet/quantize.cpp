// octet quantize: a checkpoint in a float type -> the same with FP8 ranges, as ModelOpt would save it.
#include <filesystem>
#include <functional>

#include "base/log.h"
#include "console.h"
#include "frontends/bert.h"
#include "frontends/clip.h"
#include "frontends/unified_export.h"
#include "model_inputs.h"
#include "quantize_parts.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

// A tower in f32, so that ranges are those of the model and not of its rounding. fill(plan): the next batch.
std::vector<CalibrationSite> observe_tower(ClipGraph tower, const DeviceOptions& device, const char* what, int64_t total,
                                           const std::function<HostTensor(const plan::Plan&)>& fill) {
  CompileOptions compile_options;
  compile_options.backend = make_backend(device);
  const auto plan = compile(std::move(tower.graph), compile_options);
  return observe(plan, *compile_options.backend, device, what, total, [&] { return std::vector<HostTensor>{fill(*plan)}; });
}

DType input_type(const plan::Plan& plan) { return plan.buffers[plan.inputs[0].buffer].dtype; }

std::vector<CalibrationSite> observe_texts(const Checkpoint& checkpoint, const std::vector<std::string>& texts,
                                           const ClipExportOptions& options, const DeviceOptions& device) {
  const auto tokenizer = ClipTokenizer::load(checkpoint.dir);
  const int64_t tokens = read_clip_config(checkpoint.config).positions;
  std::span<const std::string> rest = texts;
  return observe_tower(build_clip_text(checkpoint, options), device, "observing texts", static_cast<int64_t>(texts.size()),
                       [&](const plan::Plan& plan) {
                         const auto batch = rest.first(std::min<size_t>(rest.size(), kCalibrationBatch));
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
  return observe_tower(build_clip_image(checkpoint, options), device, "observing pictures", pictures.count(),
                       [&](const plan::Plan& plan) { return pixel_batch(preprocess, pictures.next(kCalibrationBatch), input_type(plan)); });
}

int quantize_checkpoint(const QuantizeFlags& o) {
  for (const auto& [value, flag] : {std::pair{&o.images, "--calib-images"}, {&o.texts, "--calib-texts"}})
    if (value->empty()) throw Error(Code::kUsage, fmt::format("a checkpoint is calibrated on pictures and texts: {} is missing", flag));
  if (!o.inputs.empty() || o.opset != 0 || !o.precision.empty())
    throw Error(Code::kUsage, "--calib-input, --opset and --precision are for ONNX files");
  const QuantizeOptions options = o.options();
  const Checkpoint checkpoint = load_checkpoint(o.model);
  if (is_bert(checkpoint))
    throw Error(Code::kUnsupported, fmt::format("{} is a BERT checkpoint: pictures and texts do not calibrate it", o.model),
                "octet export it with --precision fp32, then quantize that ONNX file with --calib-input");
  if (is_unified_export(checkpoint))
    throw Error(Code::kUnsupported, fmt::format("{} is a unified export: its weights are FP8 codes already", o.model),
                "quantize the checkpoint in its float type; export reads this one as it is");
  if (!checkpoint.quant.by_name.empty()) say("{} is quantized already: its ranges are chosen anew", o.model);
  const auto texts = lines_of(o.texts);
  PictureSource pictures(o.images);
  ClipExportOptions tower;
  tower.precision = Precision::kFp32;
  std::vector<CalibrationSite> sites = observe_texts(checkpoint, texts, tower, o.device);
  for (CalibrationSite& site : observe_pictures(checkpoint, pictures, tower, o.device)) sites.push_back(std::move(site));
  const QuantizedModel model = choose_ranges(checkpoint, sites, options);
  write_quantized_checkpoint(checkpoint, model.state, o.output);
  print_quantizers(o, {{"pictures", pictures.count()}, {"texts", static_cast<int64_t>(texts.size())}}, model.tensors);
  say("{}: {} quantizers, from {} pictures and {} texts", o.output, model.tensors.size(), pictures.count(), texts.size());
  return 0;
}

int quantize(const QuantizeFlags& o) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(o.model, error)) return quantize_checkpoint(o);
  if (!o.images.empty() || !o.texts.empty())
    throw Error(Code::kUsage, "--calib-images and --calib-texts are for checkpoints", "give an ONNX file --calib-input NAME=FILE.npy");
  return quantize_onnx(o);
}

}  // namespace

Run add_quantize(CLI::App& app) {
  auto o = std::make_shared<QuantizeFlags>();
  app.add_option("model", o->model, "checkpoint directory (config.json, model.safetensors, tokenizer, preprocessor), or an ONNX file")
      ->required();
  app.add_option("--calib-images", o->images, "checkpoint: pictures to calibrate on, a directory or a webdataset tar");
  app.add_option("--calib-texts", o->texts, "checkpoint: texts to calibrate on, one a line");
  app.add_option("--calib-input", o->inputs, "ONNX file: NAME=FILE.npy, once an input; the first axis counts the items");
  app.add_option("-o,--output", o->output, "directory or ONNX file to write")->required();
  app.add_option("--opset", o->opset, "of the ONNX file written; default: its own, but at least 20")->check(CLI::Range(20, 25));
  app.add_option("--precision", o->precision, "ONNX file: the float type around FP8, if f32 is to become another")
      ->check(CLI::IsMember({"fp16", "bf16"}));
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
