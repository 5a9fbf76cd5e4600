// Tensor data that lies in files beside the model ("external data"). A model comes from a stranger, so its paths may lead
// nowhere but into the model's own directory: relative, no "..", no symbolic or hard link on the way, regular files only.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"

namespace octet::onnx {

class ExternalData {
 public:
  // `directory` empty: every external tensor is refused.
  explicit ExternalData(std::filesystem::path directory) : directory_(std::move(directory)) {}
  // The mapped file at `location`. Error{kInvalid} for an unsafe path or file, Error{kIo} for a missing one.
  std::shared_ptr<const MappedFile> open(std::string_view location);

 private:
  std::filesystem::path directory_;
  std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>> opened_;
};

}  // namespace octet::onnx
