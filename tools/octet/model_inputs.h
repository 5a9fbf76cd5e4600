// Texts and pictures from files, as the tensors a CLIP engine takes: what quantize and eval share.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/tar.h"
#include "image/decode.h"
#include "image/preprocess.h"
#include "numeric/host_tensor.h"
#include "text/clip_tokenizer.h"

namespace octet::cli {

std::vector<std::string> lines_of(const std::filesystem::path& path);  // trimmed, empty ones left out; Error{kInvalid} if none is left
// [texts, tokens] of dtype i32 or i64.
HostTensor token_batch(const ClipTokenizer& tokenizer, std::span<const std::string> texts, DType dtype, int64_t tokens);
// What a picture is for an input of that dtype: values [3, H, W], or, as u8, its bytes [H, W, 3].
std::vector<int64_t> picture_dims(const ClipPreprocess& preprocess, DType dtype);
// [images, ...picture_dims] resized and cropped; a float dtype is normalised, u8 is not: the graph does that.
HostTensor pixel_batch(const ClipPreprocess& preprocess, std::span<const Image> images, DType dtype);

// The .jpg, .jpeg or .png of a webdataset sample, decoded; nullopt if it has none.
std::optional<Image> picture_of(const TarSample& sample);

// The pictures of a webdataset tar, or of a directory and those below it in the order of their paths, one at a time.
class PictureSource {
 public:
  explicit PictureSource(const std::filesystem::path& path);  // Error{kInvalid} if there is none
  int64_t count() const { return count_; }
  std::vector<Image> next(int64_t at_most);  // empty: the end

 private:
  std::optional<Image> one();
  std::vector<std::filesystem::path> files_;  // of a directory
  size_t next_file_ = 0;
  std::optional<TarSamples> samples_;  // of a tar
  int64_t count_ = 0;
};

}  // namespace octet::cli
