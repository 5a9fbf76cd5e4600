// A CLIP checkpoint becomes two ONNX-level graphs, in FP8 (native Q/DQ) or a plain float type, that TensorRT, onnxruntime and
// octet read without a fix-up. Shapes: input_ids i64 [batch, T]; pixel_values [batch, 3, H, W] (u8: [batch, H, W, 3]); the outputs are the
// projections [batch, P], not normalised unless asked. Next: frontends/tower_builder.h, then passes/pipeline.h.
#pragma once
#include <string>

#include "frontends/checkpoint.h"
#include "frontends/clip_config.h"
#include "ir/graph.h"

namespace octet {

enum class Precision { kFp8, kFp16, kBf16, kFp32 };
Precision parse_precision(const std::string& name);  // fp8 fp16 bf16 fp32; throws Error{kUsage}
std::string name_of(Precision precision);

struct ClipExportOptions {
  Precision precision = Precision::kFp8;
  int opset = 20;                  // 20 to 25
  bool fp8_attention = true;       // Q/DQ on q, k, v, softmax and attention output, where the checkpoint has them
  bool modelopt_scales = false;    // q and k: amax / 448 as ModelOpt writes it, not scaled to the tensor that is quantized
  bool modelopt_rounding = false;  // weight codes as ModelOpt's ONNX has them: the quotient is rounded to f16 before it becomes e4m3
  bool blog_names = false;         // inputs text_input / image_input
  bool normalize = false;          // adds L2 normalisation
  bool uint8_input = false;        // pixel_values are the bytes of a picture, normalised in the graph: picture_input.h
  DType ids = DType::i64;          // or i32
};

// One line each for what the checkpoint's quantizers made of the graph ("vision layer 3: attention in f16, because ...").
struct ClipGraph {
  Graph graph;
  std::vector<std::string> notes;
};
ClipGraph build_clip_text(const Checkpoint& checkpoint, const ClipExportOptions& options);
ClipGraph build_clip_image(const Checkpoint& checkpoint, const ClipExportOptions& options);

}  // namespace octet
