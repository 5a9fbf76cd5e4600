// octet export: checkpoint -> text.onnx, image.onnx, processor/.
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "console.h"
#include "export_files.h"
#include "formats/onnx/write.h"
#include "frontends/processor.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string checkpoint, output, precision = "fp8", tower = "both", scales = "matched", rounding = "nearest", names = "octet",
                                  ids = "int64";
  int opset = 20;
  std::string input = "float";
  int64_t tokens = 0;
  bool no_fp8_attention = false, normalize = false, json = false;
};

ClipExportOptions clip_options(const Options& o) {
  ClipExportOptions c;
  c.precision = parse_precision(o.precision);
  c.opset = o.opset;
  c.fp8_attention = !o.no_fp8_attention;
  c.modelopt_scales = o.scales == "modelopt";
  c.modelopt_rounding = o.rounding == "modelopt";
  c.blog_names = o.names == "blog";
  c.normalize = o.normalize;
  c.uint8_input = o.input == "uint8";
  c.ids = o.ids == "int32" ? DType::i32 : DType::i64;
  return c;
}

int export_checkpoint(const Options& o) {
  const ClipExportOptions options = clip_options(o);
  const Checkpoint checkpoint = load_checkpoint(o.checkpoint);
  for (const auto& file : export_towers(checkpoint, options, o.tower, o.output, o.tokens)) {
    say("{}: {}", file.path.string(), human_bytes(file.bytes));
    for (const auto& note : file.notes) say("  note: {}", note);
  }
  return 0;
}

}  // namespace

Run add_export(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("checkpoint", o->checkpoint, "checkpoint directory (config.json, model.safetensors, modelopt_state.pth)")->required();
  app.add_option("-o,--output", o->output, "directory to write")->required();
  app.add_option("--precision", o->precision, "fp8, fp16, bf16 or fp32")
      ->check(CLI::IsMember({"fp8", "fp16", "bf16", "fp32"}))
      ->capture_default_str();
  app.add_option("--tower", o->tower, "text, image or both")->check(CLI::IsMember({"text", "image", "both"}))->capture_default_str();
  app.add_option("--scales", o->scales, "q and k: matched to the tensor that is quantized, or modelopt's")
      ->check(CLI::IsMember({"matched", "modelopt"}))
      ->capture_default_str();
  app.add_option("--rounding", o->rounding, "weight codes: nearest, or through f16 as modelopt's ONNX has them")
      ->check(CLI::IsMember({"nearest", "modelopt"}))
      ->capture_default_str();
  app.add_option("--opset", o->opset, "ONNX opset")->check(CLI::Range(20, 25))->capture_default_str();
  app.add_option("--names", o->names, "file and input names: octet, or blog (text_clip_fp8.onnx, text_input)")
      ->check(CLI::IsMember({"octet", "blog"}))
      ->capture_default_str();
  app.add_option("--ids", o->ids, "type of input_ids")->check(CLI::IsMember({"int32", "int64"}))->capture_default_str();
  app.add_option("--input", o->input, "pixel_values: float [batch, 3, H, W], or uint8 [batch, H, W, 3], normalised in the graph")
      ->check(CLI::IsMember({"float", "uint8"}))
      ->capture_default_str();
  app.add_option("--tokens", o->tokens, "BERT: tokens of the inputs; default: as many as the model has positions")
      ->check(CLI::Range(1, 65535));
  app.add_flag("--no-fp8-attention", o->no_fp8_attention, "attention in the float type, linears in FP8");
  app.add_flag("--normalize", o->normalize, "add L2 normalisation to the outputs");
  return [o] { return export_checkpoint(*o); };
}

}  // namespace octet::cli
