// Engines of a saved report, so that it can be drawn or compared elsewhere than where it was measured.
#pragma once
#include <string_view>

#include "profile/report.h"

namespace octet::profile {

// Reads the engines of what to_json() wrote, be it from a stranger: every member is there and of its type, every number fits it, every
// index its list, and all steps of an engine have as many runs. Control characters become "\x1b", so that any text can be printed.
// Members that the schema does not name are skipped. `layers`, `waterfall` and `slower` stay empty: compare_engines() finds them again.
// Throws Error{kInvalid} that names the place.
Report read_report(std::string_view json);

}  // namespace octet::profile
