// One engine's part of a report: what its plan says of the steps, then times from a run of its own. Next: compare_engines.h.
#pragma once
#include <functional>
#include <optional>

#include "profile/report.h"
#include "profile/timing.h"
#include "runtime/backend.h"

namespace octet::profile {

// Names, categories, work, edges, source nodes, precision and reasons: everything of the steps but times and rooflines.
Engine describe(const plan::Plan& plan, const Executable& executable, int64_t batch);

// When each step ran, by the run's own clock: for traces.
struct Event {
  int run = 0;
  size_t step = 0;
  int64_t first_item = 0, items = 0;
  double begin_ms = 0, ms = 0;  // since the first profiled run began
};
struct StepTimes {
  std::vector<std::vector<double>> ms;  // [step][run]
  std::vector<double> plain_ms;         // [run]: compute time of the plain run that followed each profiled one, if any
  std::vector<Event> events;            // of the first runs, at most `traced_runs`
};
struct StepTimingOptions {
  int least_runs = 11, most_runs = 200;
  double seconds = 3;  // of profiled and plain runs together, once least_runs are done
  int traced_runs = 0;
  bool plain_runs = true;
};
// Profiled and plain runs take turns, so that drift of the machine meets both. The context has run at this batch before.
StepTimes time_steps(Context& context, size_t steps, int64_t batch, std::span<const void* const> inputs, std::span<void* const> outputs,
                     const StepTimingOptions& options);

// Fills every time of `engine`: of the steps from `times`, of whole runs from `timing`.
void add_times(Engine& engine, const StepTimes& times, const Timing& timing);
// Rooflines, from engine.roofs. `roof_of(step)`: the name of its compute roof and the machine products a product takes.
using RoofOf = std::function<std::pair<std::string, double>(const Step& step)>;
void add_rooflines(Engine& engine, const RoofOf& roof_of);
// by_category, by_precision, transitions, reformat_ms: from the steps as they are.
void add_tables(Engine& engine);

// "vision_model.encoder.layers.3.mlp.fc1" -> "vision_model.encoder.layers.3"; "/encoder/layers.3/mlp/MatMul" -> "/encoder/layers.3";
// "" without a numbered part.
std::string block_of(std::string_view name);

}  // namespace octet::profile
