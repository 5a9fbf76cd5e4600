// What every kernel family gives the backend: a table of rows. A row accepts a problem, names the CUDA C++ that it compiles for it,
// and lays out a launch. The backend compiles (cuda/program.h), caches, and launches. Kernels see no plan: device addresses only.
//
// Device code (*.cu, and *.cuh that they include by bare name) is embedded in the library and compiled at run time by NVRTC for the
// GPU at hand. It includes nothing of CUDA's own headers: kernels/common.cuh holds what they need.
#pragma once
#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "cuda/gpu.h"
#include "numeric/accumulation.h"
#include "numeric/dtype.h"

namespace octet::cuda {

using Address = uint64_t;  // of device memory; 0: none

// One compilation: `file` (its bare name: "norm.cu") with `defines` ("COLS=1024"); `entry` is its extern "C" __global__ function.
struct Program {
  std::string file, entry;
  std::vector<std::string> defines;
  Target target;
};

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};
// A launch of a program. Kernels take one parameter: a struct by value (`const __grid_constant__ Params p`), 64-byte aligned, at
// most kMaxParams bytes.
struct Launch {
  static constexpr size_t kMaxParams = 1024;
  Dim3 grid, block, cluster;
  uint32_t shared_bytes = 0;  // dynamic; above 48 KiB the backend opts in
  bool dependent = true;      // may start before its predecessor ends (programmatic dependent launch, sm_90 and up): the device
                              // code calls wait_for_predecessor() before it reads or writes anything a predecessor touches
  alignas(64) std::array<std::byte, kMaxParams> params{};
  size_t params_bytes = 0;

  template <class Params>
  void set_params(const Params& value) {
    static_assert(std::is_trivially_copyable_v<Params> && sizeof(Params) <= kMaxParams);
    std::memcpy(params.data(), &value, sizeof(Params));
    params_bytes = sizeof(Params);
  }
};

// Why `gpu` cannot run code for `target`; empty if it can.
inline Refusal accepts_target(const Gpu& gpu, Target target) {
  if (target.exact && gpu.portable_code) return {"portable code asked for"};
  if (target.exact ? gpu.sm != target.sm : gpu.sm < target.sm)
    return {fmt::format("needs sm_{}{}, this GPU is sm_{}", target.sm, target.exact ? "a" : "", gpu.sm)};
  return {};
}

// Where Args have `backward`, a kernel that takes its rows in order may begin with the last ones. Results are the same. The backend lets
// launches alternate: what one wrote last is then what the next reads first, from the L2 cache.
template <class Problem_, class Args_>
struct KernelRow {
  using Problem = Problem_;
  using Args = Args_;
  std::string_view name;  // family_types_variant: what profile, plan and tests call it
  Target target;
  Refusal (*accepts)(const Problem&, const Gpu&);             // beyond the target
  Program (*program)(const Problem&, const Gpu&);             // target is filled in by the backend
  Launch (*launch)(const Problem&, const Gpu&, const Args&);  // called once per (batch, buffers); may encode tensor maps
  Accumulation accumulation = {};                             // what its sums lose
};

}  // namespace octet::cuda
