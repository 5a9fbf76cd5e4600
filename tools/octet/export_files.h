// Writes the towers of a checkpoint as ONNX files with their processor/ beside them: what export and demo share.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "frontends/clip.h"

namespace octet::cli {

struct ExportedFile {
  std::string tower;  // "text" | "image" | "model"
  std::filesystem::path path;
  uint64_t bytes = 0;
  std::vector<std::string> notes;
};
// `tower`: text | image | both. File names: text.onnx, image.onnx; with blog names text_clip_fp8.onnx and so on. A BERT checkpoint is one
// file, model.onnx of `tokens` (0: as many as there are positions), without processor/.
std::vector<ExportedFile> export_towers(const Checkpoint& checkpoint, const ClipExportOptions& options, const std::string& tower,
                                        const std::filesystem::path& directory, int64_t tokens = 0);

}  // namespace octet::cli
