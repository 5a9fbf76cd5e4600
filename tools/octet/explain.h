// What each step of an engine runs as on this machine, and why not better: inspect and exec --explain.
#pragma once
#include <string>

#include "engine_io.h"

namespace octet::cli {
std::string explain_engine(const Engine& engine);
}
