// NVRTC, the compiler of CUDA C++ that is a library. Source: NVRTC 13.0 documentation.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet::cuda::nvrtc {

// Opened once. Throws Error{kUnsupported} with a remedy where there is none.
struct Version {
  int major = 0, minor = 0;
};
Version version();
std::string path();                // of the library, as opened
std::span<const int> supported();  // compute capabilities x 10 it compiles for, ascending

struct Source {
  std::string_view name, text;  // text ends in a 0 byte behind its last character
};
// Compiles `source`, whose includes are `headers`, to machine code (options name sm_XX) or PTX (compute_XX). Throws Error{kInternal}
// with the compiler's log.
std::vector<std::byte> compile(const Source& source, std::span<const Source> headers, std::span<const std::string> options);

}  // namespace octet::cuda::nvrtc
