// What the page is made of, embedded in the binary: src/report/page/* by name, "d3.min.js", and "licence1.txt" ... of its parts
// (cmake/OctetEmbed.cmake).
#pragma once
#include <span>
#include <string_view>

namespace octet::report {

struct Asset {
  std::string_view name, text;
};
std::span<const Asset> embedded_files();

}  // namespace octet::report
