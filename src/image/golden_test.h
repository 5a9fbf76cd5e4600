// The pictures of tests/golden/pictures.json (written by tests/e2e/image_vs_pil.py --write-golden), for this folder's tests.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "image/decode.h"

namespace octet {

inline const nlohmann::json& golden() {
  static const auto json = nlohmann::json::parse(read_text(std::string(OCTET_SOURCE_DIR) + "/tests/golden/pictures.json"));
  return json;
}

inline std::vector<uint8_t> from_hex(const std::string& text) {
  std::vector<uint8_t> out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) out.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return out;
}

// From an object with "width", "height" and "rgb".
inline Image golden_image(const nlohmann::json& json) {
  return {json["width"].get<int>(), json["height"].get<int>(), from_hex(json["rgb"].get<std::string>())};
}

// The bytes of the golden file of that name.
inline std::vector<uint8_t> golden_file(const std::string& name) {
  for (const auto& item : golden()["files"])
    if (item["name"] == name) return from_hex(item["file"].get<std::string>());
  fail(Code::kInternal, "no golden picture `{}`", name);
}

inline Code code_of(const auto& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return Code{};
}

}  // namespace octet
