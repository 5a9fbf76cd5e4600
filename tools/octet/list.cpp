#include "subcommand.h"

namespace octet::cli {
namespace {

constexpr Subcommand kSubcommands[] = {
    {"quantize", "FP8 ranges for a checkpoint or an ONNX file, from calibration data",
     "octet quantize models/clip-cifar10-fp8 --calib-images data/cifar10/calib.tar --calib-texts data/cifar10/calib_texts.txt -o "
     "out/quantized",
     add_quantize},
    {"export", "checkpoint -> ONNX, in FP8 or a float type", "octet export models/clip-cifar10-fp8 --precision fp8 -o out/fp8", add_export},
    {"check", "strong typing and Q/DQ diagnosis of an ONNX file", "octet check out/fp8/image.onnx", add_check},
    {"fix-types", "mends an ONNX file whose float types contradict each other",
     "octet fix-types raw.onnx -o fixed.onnx --rename x=pixel_values", add_fix_types},
    {"convert", "an ONNX file as text that can be edited, and back", "octet convert image.onnx image.ir", add_convert},
    {"extract", "the part of an ONNX file between given tensors",
     "octet extract image.onnx --to vision_model.encoder.layers.0.mlp.fc2.out -o part.onnx", add_extract},
    {"exec", "build, save, load and time an engine (trtexec's flags)",
     "octet exec --onnx=image.onnx --saveEngine=image.plan --shapes=pixel_values:128x3x32x32", add_exec},
    {"run", "one inference, .npy in and out", "octet run image.plan --input pixel_values=x.npy --output-dir out", add_run},
    {"inspect", "what is in an ONNX file, a checkpoint or an engine", "octet inspect image.plan", add_inspect},
    {"profile", "what each layer costs, ran as, and why not better; engines side by side",
     "octet profile fp16.plan --against fp8.plan --batch 128 --html report.html", add_profile},
    {"eval", "zero-shot accuracy of a pair of engines",
     "octet eval out/fp8 --images data/cifar10/eval.tar --classes data/cifar10/classes.txt --prompts data/cifar10/prompts.txt", add_eval},
    {"compare", "numerical difference of two models or engines", "octet compare fp16.plan fp8.plan --input pixel_values=x.npy",
     add_compare},
    {"support", "what this machine runs, and at what measured rate", "octet support", add_support},
    {"synth", "a checkpoint with a real model's shape and random weights", "octet synth clip-vit-l-14 -o build/vit-l-14", add_synth},
    {"demo", "the main job: checkpoint -> ONNX -> engines -> timing -> accuracy", "octet demo --out out", add_demo},
};

}  // namespace

std::span<const Subcommand> subcommands() { return kSubcommands; }

}  // namespace octet::cli
