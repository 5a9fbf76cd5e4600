// What this machine can reach at most: the rate of each instruction class that kernels multiply with, from registers alone, and the
// rate at which memory is read. Rooflines of profiles are drawn against these; nothing here changes what runs.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace octet::cpu {

struct Roof {
  std::string name;  // "AMX bf16", "AVX-512 bf16", "AVX-512 f32", "AVX2 f32", "SSE2 f32", "memory"
  double rate;       // FLOP/s (2 a multiply-add), memory: bytes read a second; all `threads` together
};
// Of the classes that are usable here, best first; memory last. Takes about 0.2 s.
std::vector<Roof> measure_roofs(int threads);

// Which roof a kernel is under, by its name ("gemm_f16_f16_bf16x4_amx"), and the machine products that one of the step's takes on
// average: an exact f16 product is four of bf16, and 3.5 in attention, whose second product leaves low * low out.
struct RoofOf {
  std::string_view name;
  double products = 1;
};
RoofOf roof_of(std::string_view kernel);

}  // namespace octet::cpu
