// What the GPUs of this machine are and which kernels they reach: for `octet support`. Nothing here changes what runs.
#pragma once
#include <string>
#include <vector>

#include "cuda/gpu.h"
#include "numeric/dtype.h"
#include "runtime/backend.h"

namespace octet::cuda {

struct Toolchain {
  std::string driver, nvrtc;  // "CUDA 13.0"; "13.0 (/usr/local/cuda/lib64/libnvrtc.so.13)"; a reason if it cannot be had
  bool usable = false;        // both are there
};
Toolchain toolchain();

// Of a GPU, by operand type e4m3, f16, bf16, f32: the rows that run CLIP's shapes, better rows with the reason each one refused.
struct TypeSupport {
  DType type, out;
  StepChoice gemm, attention;
};
std::vector<TypeSupport> types_of(const Gpu& gpu);

// What the hardware of a compute capability accelerates, and whether octet uses it: "FP8 (E4M3), ...: WGMMA".
std::string hardware_of(int sm);

// What the GPU can reach at most, from its clocks: FLOP/s of dense products that accumulate in f32, and bytes/s of its memory.
struct Roof {
  std::string name;  // "FP8 tensor cores", "FP16 tensor cores", "f32 cores", "memory"
  double rate;
  std::string origin;  // "nominal: 132 multiprocessors at 1.98 GHz"
};
std::vector<Roof> roofs_of(const Gpu& gpu);  // empty where the driver does not say the clocks
// Which of them a kernel is under, by its name and the type of its operands.
std::string roof_of(std::string_view kernel, std::string_view operands);

}  // namespace octet::cuda
