#include "profile/layers.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "profile/estimate.h"

namespace octet::profile {
namespace {

using Json = nlohmann::ordered_json;

// Bytes of a name that are no UTF-8 become U+FFFD.
std::string one_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

double Layer::total() const { return std::accumulate(ms.begin(), ms.end(), 0.0); }

double Layer::median() const {
  OCTET_CHECK(!ms.empty(), name);
  return median_of(ms);
}

double LayerProfile::steps_ms() const {
  std::vector<double> sums(layers.empty() ? 0 : layers.front().ms.size());
  for (const Layer& layer : layers)
    for (size_t run = 0; run < sums.size(); ++run) sums[run] += layer.ms.at(run);
  return median_of(sums);
}

double LayerProfile::total() const {
  double sum = 0;
  for (const Layer& layer : layers) sum += layer.total();
  return sum;
}

std::string to_json(const LayerProfile& profile) {
  const size_t runs = profile.layers.empty() ? 0 : profile.layers.front().ms.size();
  const double all = profile.total();
  std::string text = "[\n  " + one_line(Json{{"count", runs},
                                             {"batch", profile.batch},
                                             {"device", profile.device},
                                             {"engine", profile.engine},
                                             {"computeMs", profile.compute_ms},
                                             {"plainMs", profile.plain_ms},
                                             {"stepsMs", profile.steps_ms()}});
  for (const Layer& layer : profile.layers) {
    OCTET_CHECK(layer.ms.size() == runs, layer.name);
    const double total = layer.total();
    const Json json{{"name", layer.name},
                    {"timeMs", total},
                    {"averageMs", total / static_cast<double>(runs)},
                    {"medianMs", layer.median()},
                    {"percentage", all > 0 ? 100 * total / all : 0},
                    {"kind", layer.kind},
                    {"problem", layer.problem},
                    {"kernel", layer.kernel}};
    text += "\n, " + one_line(json);
  }
  return text + "\n]\n";
}

}  // namespace octet::profile
