// What two or more profiled engines have to say of each other: which layers stand for the same ONNX nodes, where the time between
// them went, and what became slower.
#pragma once
#include "profile/report.h"

namespace octet::profile {

// Fills layers, waterfall and slower from the engines' steps. Steps match where they stand for an ONNX node of the same name and
// operator (Q, DQ and what only changes layouts or types do not count); several steps of one engine can be one layer. Where two
// engines share no such name, steps match by their own name. Nothing is filled for a single engine.
void compare_engines(Report& report);

}  // namespace octet::profile
