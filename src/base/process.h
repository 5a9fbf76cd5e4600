// A program run as a child: no shell, its input from memory, its output into memory, killed when it takes too long.
#pragma once
#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace octet {

struct ProcessLimits {
  std::chrono::milliseconds time{60'000};
  size_t output_bytes = size_t{256} << 20;  // of standard output
};
struct ProcessResult {
  enum class End { kExited, kSignalled, kNotFound, kTimedOut, kTooMuchOutput };
  End end = End::kExited;
  int code = 0;          // exit status, or the signal's number
  std::string out, err;  // standard output; the first 64 KiB of standard error
  bool ok() const { return end == End::kExited && code == 0; }
};

// `argv[0]` is searched in PATH. The child's locale is C, the rest of the environment ours. It need not read its input. Throws Error{kIo}
// where no child or pipe can be had for lack of resources.
ProcessResult run_process(std::span<const std::string> argv, std::string_view input, const ProcessLimits& limits = {});

}  // namespace octet
