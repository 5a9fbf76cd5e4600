#include "export_files.h"

#include "base/error.h"
#include "formats/onnx/write.h"
#include "frontends/processor.h"

namespace octet::cli {

std::vector<ExportedFile> export_towers(const Checkpoint& checkpoint, const ClipExportOptions& options, const std::string& tower,
                                        const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail(Code::kIo, "cannot create {}: {}", directory.string(), error.message());
  std::vector<ExportedFile> files;
  for (const std::string name : {"text", "image"}) {
    if (tower != "both" && tower != name) continue;
    ClipGraph built = name == "text" ? build_clip_text(checkpoint, options) : build_clip_image(checkpoint, options);
    const std::string file = options.blog_names ? name + "_clip_" + name_of(options.precision) + ".onnx" : name + ".onnx";
    write_onnx(built.graph, directory / file, {});
    uint64_t bytes = std::filesystem::file_size(directory / file);
    if (std::filesystem::exists(directory / (file + ".data"))) bytes += std::filesystem::file_size(directory / (file + ".data"));
    files.push_back({name, directory / file, bytes, std::move(built.notes)});
  }
  write_processor(checkpoint, directory / "processor");
  return files;
}

}  // namespace octet::cli
