#include "zero_shot.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/json.h"
#include "formats/tar.h"
#include "frontends/processor.h"
#include "model_inputs.h"

namespace octet::cli {
namespace {

constexpr int64_t kBatch = 128;
constexpr double kZ = 1.959964;  // 95 %

void require_same_processor(const Engine& engine, const std::filesystem::path& processor) {
  const std::string& recorded = engine.plan->processor_sha256;
  if (recorded.empty() || recorded == processor_sha256(processor)) return;
  throw Error(Code::kInvalid, fmt::format("{} is not the processor this engine was built with (SHA-256 differs)", processor.string()),
              "give the processor/ that was exported beside the model");
}

// Runs `count` items through a one-input, one-output engine in batches; fill(first, items, input) writes each batch.
template <class Fill>
std::vector<std::vector<float>> embed(const Engine& engine, int64_t count, const char* what, Fill&& fill) {
  if (engine.plan->inputs.size() != 1 || engine.plan->outputs.size() != 1)
    fail(Code::kUnsupported, "engine `{}` does not have one input and one output", engine.plan->name);
  const auto context = engine.executable->new_context();
  std::vector<std::vector<float>> rows;
  for (int64_t first = 0; first < count; first += kBatch) {
    const int64_t items = std::min(kBatch, count - first);
    Tensors tensors;
    tensors.inputs.push_back(fill(first, items));
    tensors.outputs.emplace_back(engine.plan->buffers[engine.plan->outputs[0].buffer].dtype,
                                 dims_at(*engine.plan, engine.plan->outputs[0], items));
    run_engine(engine, *context, items, tensors);
    const std::vector<float> flat = to_f32(tensors.outputs[0]);
    const auto width = static_cast<int64_t>(flat.size()) / items;
    for (int64_t i = 0; i < items; ++i) {
      std::vector<float> row(flat.begin() + i * width, flat.begin() + (i + 1) * width);
      double norm = 0;
      for (const float v : row) norm += double{v} * v;
      for (float& v : row) v = static_cast<float>(v / std::sqrt(norm));
      rows.push_back(std::move(row));
    }
    progress(what, first + items, count);
  }
  return rows;
}

std::vector<std::vector<float>> class_vectors(const Engine& text, const ZeroShotInputs& in, const std::vector<std::string>& names) {
  const auto tokenizer = ClipTokenizer::load(in.processor);
  const auto templates = lines_of(in.prompts);
  const plan::Buffer& ids = text.plan->buffers[text.plan->inputs.at(0).buffer];
  const int64_t tokens = ids.dims.at(0);
  std::vector<std::string> prompts;
  for (const auto& name : names)
    for (const auto& pattern : templates) prompts.push_back(fill_template(pattern, name));
  const auto rows = embed(text, static_cast<int64_t>(prompts.size()), "embedding prompts", [&](int64_t first, int64_t items) {
    return token_batch(tokenizer, std::span(prompts).subspan(static_cast<size_t>(first), static_cast<size_t>(items)), ids.dtype, tokens);
  });
  std::vector<std::vector<float>> classes;
  for (size_t c = 0; c < names.size(); ++c) {
    std::vector<float> mean(rows[0].size(), 0.0f);
    for (size_t t = 0; t < templates.size(); ++t)
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += rows[c * templates.size() + t][i];
    double norm = 0;
    for (const float v : mean) norm += double{v} * v;
    for (float& v : mean) v = static_cast<float>(v / std::sqrt(norm));
    classes.push_back(std::move(mean));
  }
  return classes;
}

struct Pictures {
  std::vector<Image> images;
  std::vector<int> labels;
  std::vector<std::string> keys;
};

Pictures read_pictures(const std::filesystem::path& tar, size_t classes) {
  Pictures pictures;
  TarSamples samples(tar);
  while (auto sample = samples.next()) {
    auto picture = picture_of(*sample);
    const auto label = sample->parts.find("cls");
    if (!picture || label == sample->parts.end())
      fail(Code::kInvalid, "{}: sample `{}` lacks .jpg/.png or .cls", tar.string(), printable(sample->key));
    const std::string_view digits = trim({reinterpret_cast<const char*>(label->second.data()), label->second.size()});
    int value = -1;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (value < 0 || static_cast<size_t>(value) >= classes)
      fail(Code::kInvalid, "{}: sample `{}` has label `{}`, not one of {} classes", tar.string(), printable(sample->key), printable(digits),
           classes);
    pictures.images.push_back(std::move(*picture));
    pictures.labels.push_back(value);
    pictures.keys.push_back(sample->key);
  }
  if (pictures.images.empty()) fail(Code::kInvalid, "{} holds no pictures", tar.string());
  return pictures;
}

double logit_scale(const std::filesystem::path& processor) {
  const auto json = nlohmann::json::parse(read_text(processor / "processor.json"), nullptr, false);
  if (!json.is_object() || !json.contains("logit_scale") || !json["logit_scale"].is_number())
    fail(Code::kInvalid, "{}/processor.json has no logit_scale", processor.string());
  return json["logit_scale"].get<double>();
}

void score(ZeroShotResult& r, const std::vector<float>& row, const std::vector<std::vector<float>>& classes, double scale, int label) {
  std::vector<double> logits;
  for (const auto& c : classes) {
    double dot = 0;
    for (size_t i = 0; i < c.size(); ++i) dot += double{row[i]} * c[i];
    logits.push_back(dot * scale);
  }
  const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  double sum = 0;
  int above = 0;
  for (const double l : logits) {
    sum += std::exp(l - logits[static_cast<size_t>(best)]);
    above += l > logits[static_cast<size_t>(label)];
  }
  r.best.push_back(static_cast<int>(best));
  r.probability.push_back(static_cast<float>(1 / sum));
  r.top1 += best == label;
  r.top5 += above < 5;
}

}  // namespace

std::string fill_template(const std::string& pattern, const std::string& name) {
  std::string out = pattern;
  const size_t hole = out.find("{}");
  if (hole == out.npos) return out;
  out.replace(hole, 2, name);
  return out;
}

ZeroShotResult zero_shot(const Engine& text, const Engine& image, const ZeroShotInputs& in) {
  require_same_processor(text, in.processor);
  require_same_processor(image, in.processor);
  ZeroShotResult r;
  r.names = lines_of(in.classes);
  const auto classes = class_vectors(text, in, r.names);
  Pictures pictures = read_pictures(in.images, r.names.size());
  const auto preprocess = ClipPreprocess::load(in.processor);
  const plan::Buffer& pixels = image.plan->buffers[image.plan->inputs.at(0).buffer];
  const std::vector<int64_t> made = picture_dims(preprocess, pixels.dtype);
  if (pixels.dims != made)
    fail(Code::kInvalid, "the processor makes [{}] pictures, the engine takes [{}]", fmt::join(made, ","), fmt::join(pixels.dims, ","));
  const auto count = static_cast<int64_t>(pictures.images.size());
  const auto rows = embed(image, count, "embedding pictures", [&](int64_t first, int64_t items) {
    return pixel_batch(preprocess, std::span(pictures.images).subspan(static_cast<size_t>(first), static_cast<size_t>(items)),
                       pixels.dtype);
  });
  const double scale = logit_scale(in.processor);
  for (size_t i = 0; i < rows.size(); ++i) score(r, rows[i], classes, scale, pictures.labels[i]);
  r.n = count;
  const auto n = static_cast<double>(count);
  r.top1 /= n, r.top5 /= n;
  const double centre = (r.top1 + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ / (1 + kZ * kZ / n) * std::sqrt(r.top1 * (1 - r.top1) / n + kZ * kZ / (4 * n * n));
  r.low = centre - half, r.high = centre + half;
  r.labels = std::move(pictures.labels);
  r.keys = std::move(pictures.keys);
  return r;
}

}  // namespace octet::cli
