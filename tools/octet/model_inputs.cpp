#include "model_inputs.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace octet::cli {
namespace {

constexpr std::string_view kExtensions[] = {"jpg", "jpeg", "png"};

bool is_picture(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  return !extension.empty() && std::ranges::count(kExtensions, extension.substr(1)) > 0;
}

}  // namespace

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  for (const auto& line : split(read_text(path), '\n'))
    if (!trim(line).empty()) lines.emplace_back(trim(line));
  if (lines.empty()) fail(Code::kInvalid, "{} has no lines", path.string());
  return lines;
}

HostTensor token_batch(const ClipTokenizer& tokenizer, std::span<const std::string> texts, DType dtype, int64_t tokens) {
  HostTensor ids(dtype, {static_cast<int64_t>(texts.size()), tokens});
  int64_t next = 0;
  for (const std::string& text : texts)
    for (const int32_t id : tokenizer.encode_padded(text, static_cast<int>(tokens))) ids.set_int(next++, id);
  return ids;
}

std::vector<int64_t> picture_dims(const ClipPreprocess& preprocess, DType dtype) {
  if (dtype == DType::u8) return {preprocess.height, preprocess.width, 3};
  return {3, preprocess.height, preprocess.width};
}

HostTensor pixel_batch(const ClipPreprocess& preprocess, std::span<const Image> images, DType dtype) {
  std::vector<int64_t> dims = picture_dims(preprocess, dtype);
  dims.insert(dims.begin(), static_cast<int64_t>(images.size()));
  if (dtype == DType::u8) {
    HostTensor bytes(dtype, dims);
    auto* to = reinterpret_cast<uint8_t*>(bytes.mutable_data());
    for (const Image& image : images) to = std::ranges::copy(preprocess.pixels(image).rgb, to).out;
    return bytes;
  }
  const auto per_picture = static_cast<size_t>(3 * preprocess.height * preprocess.width);
  std::vector<float> values(images.size() * per_picture);
  for (size_t i = 0; i < images.size(); ++i) preprocess.run(images[i], values.data() + i * per_picture);
  return from_f32(dtype, dims, values);
}

std::optional<Image> picture_of(const TarSample& sample) {
  for (const std::string_view extension : kExtensions)
    if (const auto found = sample.parts.find(extension); found != sample.parts.end())
      return with_context([&] { return "decoding sample `" + printable(sample.key) + "`"; }, [&] { return decode_image(found->second); });
  return std::nullopt;
}

PictureSource::PictureSource(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
      if (entry.is_regular_file() && is_picture(entry.path())) files_.push_back(entry.path());
    std::sort(files_.begin(), files_.end());
    count_ = static_cast<int64_t>(files_.size());
  } else {
    TarReader entries(path);
    while (const auto entry = entries.next()) count_ += is_picture(entry->name);
    samples_.emplace(path);
  }
  if (count_ == 0) fail(Code::kInvalid, "{} holds no pictures (.jpg, .jpeg, .png)", path.string());
}

std::optional<Image> PictureSource::one() {
  if (samples_) {
    while (auto sample = samples_->next())
      if (auto picture = picture_of(*sample)) return picture;
    return std::nullopt;
  }
  if (next_file_ == files_.size()) return std::nullopt;
  const std::filesystem::path& path = files_[next_file_++];
  return with_context([&] { return "decoding " + path.string(); }, [&] { return decode_image(MappedFile::open(path)->bytes()); });
}

std::vector<Image> PictureSource::next(int64_t at_most) {
  std::vector<Image> images;
  while (static_cast<int64_t>(images.size()) < at_most) {
    auto image = one();
    if (!image) break;
    images.push_back(std::move(*image));
  }
  return images;
}

}  // namespace octet::cli
