// The CUDA backend: chooses a kernel row for every step of a plan, compiles it for the GPU at hand, uploads the weights once, and
// runs the steps on a stream of each context, from a CUDA graph when a batch size repeats. Nothing of CUDA is linked: driver and
// compiler are opened at run time (cuda/driver/library.h). Next: cuda/steps/step.h (one prepared step), cuda/kernels/*/ (the kernels).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/backend.h"

namespace octet::cuda {

struct CudaOptions {
  bool portable_code = false;     // as on an Ada GPU: compute_89 PTX, rows of exact targets refuse
  bool tune = true;               // time competing tiles at the first use of a batch size
  std::vector<std::string> rows;  // rows whose name contains one of these go first; those that refuse are passed over
};
// `base` with OCTET_CUDA_PORTABLE=1, OCTET_CUDA_TUNE=0 and OCTET_CUDA_ROWS=a,b of the environment.
CudaOptions from_environment(CudaOptions base = {});

// Throws Error{kUnsupported} with the reason and a remedy: no driver, no such GPU, a GPU octet does not know, no NVRTC.
std::unique_ptr<Backend> make_backend(int ordinal, const CudaOptions& options = from_environment());

// "cuda" is GPU 0, "cuda:N" GPU N; -1 for any other name.
int ordinal_of(const std::string& device);

}  // namespace octet::cuda
