#include "profile/layers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"

namespace octet::profile {

double Layer::total() const { return std::accumulate(ms.begin(), ms.end(), 0.0); }

double Layer::median() const {
  OCTET_CHECK(!ms.empty(), name);
  std::vector<double> sorted = ms;
  std::ranges::sort(sorted);
  const size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double LayerProfile::total() const {
  double sum = 0;
  for (const Layer& layer : layers) sum += layer.total();
  return sum;
}

std::string to_json(const LayerProfile& profile) {
  using Json = nlohmann::ordered_json;
  const size_t runs = profile.layers.empty() ? 0 : profile.layers.front().ms.size();
  const double all = profile.total();
  std::string text = "[\n  " + Json{{"count", runs},
                                    {"batch", profile.batch},
                                    {"device", profile.device},
                                    {"engine", profile.engine},
                                    {"computeMs", profile.compute_ms}}
                                   .dump();
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
    text += "\n, " + json.dump();
  }
  return text + "\n]\n";
}

}  // namespace octet::profile
