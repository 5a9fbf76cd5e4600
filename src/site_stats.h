// What FP8 rounding did to the activations of one run: codes at the ends of the range, and how many exact values lie beyond it.
#pragma once
#include "profile/report.h"
#include "runtime/backend.h"

namespace octet {

// Runs the plan step by step and looks at each output of type e4m3, a site a column range that shares a scale. `context` must be
// prepared with PrepareOptions::chunk = -1. clipped is counted against the exact reference (f64) on about `rows` output rows a step,
// spread evenly, fed the engine's own inputs of that step. inputs: parallel to plan.inputs.
std::vector<profile::SiteStats> site_stats(const plan::Plan& plan, Context& context, std::span<const void* const> inputs, int64_t batch,
                                           int64_t rows, int threads);

}  // namespace octet
