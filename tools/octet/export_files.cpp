#include "export_files.h"

#include "base/error.h"
#include "formats/onnx/write.h"
#include "frontends/bert.h"
#include "frontends/processor.h"

namespace octet::cli {

namespace {

ExportedFile write(std::string tower, ClipGraph built, const std::filesystem::path& path) {
  write_onnx(built.graph, path, {});
  uint64_t bytes = std::filesystem::file_size(path);
  std::filesystem::path data = path;
  data += ".data";
  if (std::filesystem::exists(data)) bytes += std::filesystem::file_size(data);
  return {std::move(tower), path, bytes, std::move(built.notes)};
}

}  // namespace

std::vector<ExportedFile> export_towers(const Checkpoint& checkpoint, const ClipExportOptions& options, const std::string& tower,
                                        const std::filesystem::path& directory, int64_t tokens) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail(Code::kIo, "cannot create {}: {}", directory.string(), error.message());
  if (options.uint8_input && (is_bert(checkpoint) || tower == "text"))
    throw Error(Code::kUsage, "--input uint8 is for image towers", "leave it out: texts come as token ids");
  if (is_bert(checkpoint)) return {write("model", build_bert(checkpoint, options, tokens), directory / "model.onnx")};
  if (tokens != 0) throw Error(Code::kUsage, "--tokens is for BERT checkpoints", "CLIP's text tower has max_position_embeddings tokens");
  std::vector<ExportedFile> files;
  for (const std::string name : {"text", "image"}) {
    if (tower != "both" && tower != name) continue;
    const std::string file = options.blog_names ? name + "_clip_" + name_of(options.precision) + ".onnx" : name + ".onnx";
    files.push_back(
        write(name, name == "text" ? build_clip_text(checkpoint, options) : build_clip_image(checkpoint, options), directory / file));
  }
  write_processor(checkpoint, directory / "processor");
  return files;
}

}  // namespace octet::cli
