// Reads ClipPreprocess from the JSON that Hugging Face checkpoints carry, with that library's defaults.
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "image/preprocess.h"

namespace octet {
namespace {

using Json = nlohmann::json;
constexpr size_t kMaxConfigBytes = size_t{1} << 20;
constexpr int kMaxDepth = 32;
constexpr int kMaxSide = 8192;  // of a result; far above any published model's

Json parse_object(std::string_view text) {
  if (text.size() > kMaxConfigBytes) fail(Code::kInvalid, "{} is too large for a preprocessing configuration", human_bytes(text.size()));
  const auto shallow = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) fail(Code::kInvalid, "JSON nested deeper than {}", kMaxDepth);
    return true;
  };
  try {
    Json json = Json::parse(text, shallow);
    if (!json.is_object()) fail(Code::kInvalid, "expected a JSON object");
    return json;
  } catch (const Json::exception& error) {
    fail(Code::kInvalid, "not valid JSON: {}", printable(error.what()));
  }
}

const Json* member(const Json& json, const char* name) {
  const auto it = json.find(name);
  return it == json.end() || it->is_null() ? nullptr : &*it;
}

bool flag(const Json& json, const char* name, bool otherwise) {
  const Json* value = member(json, name);
  if (value && !value->is_boolean()) fail(Code::kInvalid, "\"{}\" is neither true nor false", name);
  return value ? value->get<bool>() : otherwise;
}

int side(const Json& value, const char* name) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() < 1 || value.get<uint64_t>() > kMaxSide) {
    fail(Code::kInvalid, "\"{}\" holds {}; expected a whole number from 1 to {}", name, printable(value.dump(-1, ' ', true), 40), kMaxSide);
  }
  return value.get<int>();
}

double number(const Json& value, const char* name) {
  if (!value.is_number()) fail(Code::kInvalid, "\"{}\" holds something other than a number", name);
  return value.get<double>();
}

struct SizeRule {
  int shortest_edge = 0, width = 0, height = 0;  // either the first or the other two
};

// An integer, {"shortest_edge": n} or {"height": h, "width": w}. `square`: what an integer means.
SizeRule size_rule(const Json& json, const char* name, bool square, int otherwise) {
  const Json* value = member(json, name);
  if (!value || !value->is_object()) {
    const int n = value ? side(*value, name) : otherwise;
    return square ? SizeRule{0, n, n} : SizeRule{n, 0, 0};
  }
  const Json *edge = member(*value, "shortest_edge"), *height = member(*value, "height"), *width = member(*value, "width");
  if (edge && value->size() == 1) return {side(*edge, name), 0, 0};
  if (height && width && value->size() == 2) return {0, side(*width, name), side(*height, name)};
  fail(Code::kUnsupported, "\"{}\" is {}; octet knows a number, shortest_edge, or height with width", name,
       printable(value->dump(-1, ' ', true), 80));
}

// Three numbers, or one for all channels.
std::array<double, 3> channels(const Json& json, const char* name, const std::array<double, 3>& otherwise) {
  const Json* value = member(json, name);
  if (!value) return otherwise;
  std::array<double, 3> out;
  if (value->is_array() && value->size() != 3) fail(Code::kInvalid, "\"{}\" holds {} numbers; expected 3", name, value->size());
  for (size_t c = 0; c < 3; ++c) out[c] = number(value->is_array() ? (*value)[c] : *value, name);
  return out;
}

void read_sizes(const Json& json, ClipPreprocess& out) {
  const bool resize = flag(json, "do_resize", true), crop = flag(json, "do_center_crop", true);
  const SizeRule size = size_rule(json, "size", false, 224);
  const SizeRule cut = size_rule(json, "crop_size", true, 224);
  out.shortest_edge = resize ? size.shortest_edge : 0;
  out.resize_width = resize ? size.width : 0;
  out.resize_height = resize ? size.height : 0;
  out.width = crop ? cut.width : out.resize_width;
  out.height = crop ? cut.height : out.resize_height;
  if (out.width == 0) {
    throw Error(Code::kUnsupported, "the preprocessing gives pictures of no fixed size",
                "set do_center_crop and crop_size with height and width");
  }
}

void read_values(const Json& json, ClipPreprocess& out) {
  const Json* factor = member(json, "rescale_factor");
  const double scale = !flag(json, "do_rescale", true) ? 1 : factor ? number(*factor, "rescale_factor") : 1.0 / 255;
  std::array<double, 3> mean{}, std{1, 1, 1};
  if (flag(json, "do_normalize", true)) {
    mean = channels(json, "image_mean", {0.48145466, 0.4578275, 0.40821073});
    std = channels(json, "image_std", {0.26862954, 0.26130258, 0.27577711});
  }
  out.set_values(scale, mean, std);
  for (const auto& table : out.values)
    for (const float value : table)
      if (!std::isfinite(value)) fail(Code::kInvalid, "rescale_factor, image_mean and image_std give values that are not finite");
}

}  // namespace

ClipPreprocess ClipPreprocess::parse(std::string_view text) {
  const Json json = parse_object(text);
  ClipPreprocess out;
  if (const Json* filter = member(json, "resample")) {
    if (*filter != 2 && *filter != 3) {
      fail(Code::kUnsupported, "\"resample\" is {}; octet knows 2 (bilinear) and 3 (bicubic)", printable(filter->dump(-1, ' ', true), 40));
    }
    out.filter = static_cast<Filter>(filter->get<int>());
  }
  read_sizes(json, out);
  read_values(json, out);
  return out;
}

ClipPreprocess ClipPreprocess::load(const std::filesystem::path& directory) {
  const auto whole = directory / "processor_config.json";
  const bool own = std::filesystem::exists(directory / "preprocessor_config.json") || !std::filesystem::exists(whole);
  const auto path = own ? directory / "preprocessor_config.json" : whole;
  return with_context([&] { return fmt::format("reading {}", path.string()); },
                      [&] {
                        const auto file = MappedFile::open(path);
                        if (own) return parse(file->text());
                        const Json json = parse_object(file->text());
                        const Json* part = member(json, "image_processor");
                        if (!part) fail(Code::kInvalid, "no \"image_processor\" in it");
                        return parse(part->dump());
                      });
}

}  // namespace octet
