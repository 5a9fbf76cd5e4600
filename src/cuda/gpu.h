// What kernels may know of a GPU, and which machine code a kernel is written for. Read from the driver by cuda/device.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace octet::cuda {

struct Gpu {
  std::string name;  // "NVIDIA H200"
  int ordinal = 0;
  int sm = 0;              // compute capability x 10: 90 for 9.0
  int driver_version = 0;  // of the CUDA API: 13000 for 13.0
  int multiprocessors = 0;
  size_t shared_per_block = 0;                  // bytes a block may opt in to
  size_t memory = 0, l2 = 0;                    // bytes
  double clock_hz = 0, memory_bytes_per_s = 0;  // highest clock of the multiprocessors; bus width times clock. 0: not known
  bool portable_code = false;  // run as compute_89 PTX whatever the GPU: rows of exact targets refuse (tests of the Ada rows)
};

// The lowest compute capability a kernel needs, x 10. An exact one uses instructions of that architecture alone (sm_90a: WGMMA) and
// runs nowhere else; any other is compiled for the GPU at hand.
struct Target {
  int sm;
  bool exact = false;
};

}  // namespace octet::cuda
