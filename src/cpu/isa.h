// Instruction-set classes of x86 CPUs. A kernel row names the bits it needs; the machine (or OCTET_ISA) grants them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace octet::cpu {

enum Isa : uint32_t {
  kPortable = 0,    // plain x86-64
  kAvx2 = 1,        // AVX2 + FMA + F16C
  kAvx512 = 2,      // F, BW, VL, DQ, VBMI (Ice Lake on, Zen 4 on)
  kAvx512Bf16 = 4,  // + BF16, and vdpbf16ps measured faster than f32 FMA (Zen 4 / 5; not on Intel: performance note)
  kAmx = 8,         // AMX-TILE + AMX-BF16, permission granted by the kernel
};

// What this process may use: CPUID, OS support, OCTET_ISA (portable|avx2|avx512|avx512bf16|amx caps the ladder; forcing a class
// the machine lacks is Error{kUsage}). Computed once. `detected` ignores OCTET_ISA.
// Forced, a class and all below it on the ladder are granted; avx512bf16 then without the measurement.
uint32_t usable_isa();
uint32_t detected_isa();
// The same for a given value of OCTET_ISA ("" for none): what tests call.
uint32_t isa_from(std::string_view forced);
// FLOP rate of vdpbf16ps over that of the f32 FMA, measured once per process in about 0.2 ms (0.5 on Sapphire Rapids; kAvx512Bf16
// is granted above 1); 0 where the CPU lacks AVX512_BF16.
double vdpbf16ps_over_fma();
std::string isa_names(uint32_t bits);                     // "avx2+avx512+amx", "portable"
std::string missing_isa(uint32_t needed, uint32_t have);  // reason for a Refusal: "needs amx, which this CPU lacks (or OCTET_ISA hides)"

}  // namespace octet::cpu
