// The device code that is embedded in the library: every kernels/**/*.cu and *.cuh, by bare name (cmake/OctetEmbed.cmake).
#pragma once
#include "cuda/driver/nvrtc.h"

namespace octet::cuda {

std::span<const nvrtc::Source> embedded_files();

// `file` and what it includes, itself first, each once. Throws Error{kInternal} if one of them is not embedded.
std::vector<nvrtc::Source> sources_of(std::string_view file);

}  // namespace octet::cuda
