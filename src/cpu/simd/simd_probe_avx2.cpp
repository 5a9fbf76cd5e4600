// simd_probe.h for AVX2.
#include "cpu/simd/simd_probe_inl.h"

namespace octet::cpu {

const SimdProbe kSimdProbeAvx2 = probe_of("avx2", kAvx2);

}  // namespace octet::cpu
