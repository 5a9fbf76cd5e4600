// A Report as JSON: an object a struct, its members by name.
#include <cmath>
#include <nlohmann/json.hpp>

#include "profile/report_fields.h"

namespace octet::profile {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const std::string& text) { return text; }
Json json_of(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
template <class T>
requires std::is_integral_v<T> Json json_of(T value) { return value; }
template <class T>
Json json_of(const std::vector<T>& list);
template <class T>
requires std::is_class_v<T> Json json_of(const T& object) {
  Json out = Json::object();
  fields(object, [&](const char* name, const auto& member) { out[name] = json_of(member); });
  return out;
}
template <class T>
Json json_of(const std::vector<T>& list) {
  Json out = Json::array();
  for (const T& item : list) out.push_back(json_of(item));
  return out;
}

}  // namespace

std::string to_json(const Report& report) {
  Json out{{"schema", "octet.profile/1"}};
  out.update(json_of(report));
  // Names come from files of strangers: what is no UTF-8 is replaced, not thrown at.
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace octet::profile
