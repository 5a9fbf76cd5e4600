// What this machine is and what its kernels reach: the CPU's name, and per element type the GEMM row that would run with its
// measured rate. For `octet support`; nothing here changes what runs. Next: cpu/isa.h (the classes), cpu/kernels/gemm/gemm.h.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "numeric/dtype.h"
#include "runtime/backend.h"

namespace octet::cpu {

std::string cpu_model();  // the brand string of CPUID, "unknown x86 CPU" if it has none

struct GemmRate {
  DType type, out;  // of both operands; of the result
  int64_t m = 0, n = 0, k = 0;
  StepChoice choice;  // the row that runs; better rows with the reason each one refused
  int threads = 0, runs = 0;
  double median_tflops = 0, best_tflops = 0;  // 2 m n k a run; weights packed before, result rounded and stored
};
// Runs the GEMM again and again for `seconds` (at least three times after one warm-up), with random finite operands.
GemmRate measure_gemm(DType type, DType out, int64_t m, int64_t n, int64_t k, int threads, double seconds);

// The attention row for such inputs at CLIP's shapes (head_dim 64), e4m3 probabilities iff `in` is e4m3.
StepChoice choose_attention(DType in, DType out);

}  // namespace octet::cpu
