// Zero-shot classification with a text and an image engine: what eval and demo share.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine_io.h"

namespace octet::cli {

struct ZeroShotInputs {
  std::filesystem::path images, classes, prompts, processor;  // webdataset tar; one class, one template "a photo of a {}." a line
};
struct ZeroShotResult {
  int64_t n = 0;
  double top1 = 0, top5 = 0;  // fractions
  double low = 0, high = 0;   // Wilson 95 % interval of top1
  std::vector<int> best;      // predicted class of every picture
  std::vector<int> labels;
  std::vector<float> probability;  // of the best class: softmax(logit_scale * cosine)
  std::vector<std::string> names;  // of the classes
  std::vector<std::string> keys;   // of the pictures
};
// Class text = normalised mean over the templates of the normalised prompt embeddings.
ZeroShotResult zero_shot(const Engine& text, const Engine& image, const ZeroShotInputs& inputs);
// "a photo of a {}." with the name in place of {}.
std::string fill_template(const std::string& pattern, const std::string& name);

}  // namespace octet::cli
