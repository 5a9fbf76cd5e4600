// The version this library was built as: project(VERSION) of CMakeLists.txt.
#pragma once
#include <string_view>

namespace octet {

std::string_view build_version();  // "0.1.0"

}  // namespace octet
