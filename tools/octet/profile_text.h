// A profile report for people: tables on a terminal.
#pragma once
#include "profile/report.h"

namespace octet::cli {

// Summary, categories, precision, what is slower and what is not in FP8; layers that repeat are one line (layers.*.fc1), or every
// step, the slowest `top` (0: none).
std::string profile_text(const profile::Report& report, int64_t top);

}  // namespace octet::cli
