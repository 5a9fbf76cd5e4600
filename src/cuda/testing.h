// For tests of the CUDA backend: whether there is a GPU (or the fake driver of tests/fake_cuda) and a compiler, and why not.
#pragma once
#include <gtest/gtest.h>

#include "cuda/driver/api.h"
#include "cuda/driver/nvrtc.h"

namespace octet::cuda::testing {

inline std::string missing_nvrtc() {
  try {
    return nvrtc::version().major > 0 ? "" : "NVRTC has no version";
  } catch (const Error& error) {
    return error.message();
  }
}
inline std::string missing_gpu() {
  try {
    return driver::version() > 0 ? missing_nvrtc() : "the driver has no version";
  } catch (const Error& error) {
    return error.message();
  }
}
#define OCTET_NEEDS_NVRTC() \
  if (const std::string no = octet::cuda::testing::missing_nvrtc(); !no.empty()) GTEST_SKIP() << no
#define OCTET_NEEDS_GPU() \
  if (const std::string no = octet::cuda::testing::missing_gpu(); !no.empty()) GTEST_SKIP() << no

}  // namespace octet::cuda::testing
