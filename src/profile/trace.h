// Profiled runs as a trace that chrome://tracing and ui.perfetto.dev open: the JSON object format of the Trace Event specification.
#pragma once
#include <string>

#include "profile/collect.h"

namespace octet::profile {

// Process i is engine i; its thread 0 shows runs, its thread 1 steps, laid end to end from the run's start (a step's own time is
// measured, the gaps between steps are not). A step's args hold its problem, kernel, category, precision, items and ONNX nodes.
// `times` is parallel to report.engines, each with StepTimes::events.
std::string to_trace(const Report& report, const std::vector<StepTimes>& times);

}  // namespace octet::profile
