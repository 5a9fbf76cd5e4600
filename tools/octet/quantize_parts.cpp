#include "quantize_parts.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "console.h"

namespace octet::cli {
namespace {

std::string to_json(const QuantizeFlags& flags, const Seen& seen, std::span<const QuantizedTensor> tensors) {
  nlohmann::json quantizers = nlohmann::json::array();
  for (const QuantizedTensor& t : tensors) {
    const double sqnr = t.error.sqnr_db();
    quantizers.push_back({{"name", t.quantizer},
                          {"kind", t.weight ? "weight" : "activation"},
                          {"ranges", t.ranges},
                          {"amax", t.amax},
                          {"observed_amax", t.observed},
                          {"values", t.error.count},
                          {"clipped_percent", t.error.clipped_percent()},
                          {"sqnr_db", std::isfinite(sqnr) ? nlohmann::json(sqnr) : nlohmann::json()}});
  }
  nlohmann::json out{{"schema", "octet.quantize/1"},
                     {"recipe", flags.recipe},
                     {"method", flags.method},
                     {"per_channel", flags.per_channel},
                     {"quantizers", std::move(quantizers)}};
  for (const auto& [what, count] : seen) out[what] = count;
  return out.dump(2) + "\n";
}

std::string to_table(std::span<const QuantizedTensor> tensors) {
  Table table({"quantizer", "amax", "observed", "clipped %", "SQNR dB"});
  for (const QuantizedTensor& t : tensors)
    table.add({t.quantizer, fmt::format("{:.4g}", t.amax), fmt::format("{:.4g}", t.observed),
               fmt::format("{:.4f}", t.error.clipped_percent()), fmt::format("{:.1f}", t.error.sqnr_db())});
  return table.render();
}

}  // namespace

std::vector<CalibrationSite> observe(std::shared_ptr<const plan::Plan> plan, const Backend& backend, const DeviceOptions& device,
                                     const char* what, int64_t total, const std::function<std::vector<HostTensor>()>& fill) {
  DeviceOptions whole_batches = device;
  whole_batches.chunk = -1;
  const Engine engine = prepare_engine(std::move(plan), backend, whole_batches);
  const auto context = engine.executable->new_context();
  Calibration calibration(*engine.plan);
  for (int64_t done = 0; done < total;) {
    const std::vector<HostTensor> batch = fill();
    std::vector<const void*> inputs;
    for (const HostTensor& tensor : batch) inputs.push_back(tensor.bytes().data());
    calibration.run(*context, inputs, batch.at(0).dims()[0]);
    progress(what, done += batch.at(0).dims()[0], total);
  }
  return calibration.sites();
}

void print_quantizers(const QuantizeFlags& flags, const Seen& seen, std::span<const QuantizedTensor> tensors) {
  print_out(flags.json ? to_json(flags, seen, tensors) : to_table(tensors));
}

}  // namespace octet::cli
