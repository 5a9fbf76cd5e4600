// simd_probe.h for AVX-512.
#include "cpu/simd/e4m3_avx512.h"
#include "cpu/simd/simd_probe_inl.h"

namespace octet::cpu {

const SimdProbe kSimdProbeAvx512 = probe_of("avx512", kAvx512);

void probe_e4m3_to_bf16(const uint8_t* codes, E4m3Orders& out) {
  const E4m3ToBf16 table;
  const __m512i x = _mm512_loadu_si512(codes);
  __m512i first, second;
  table.interleaved(x, first, second);
  _mm512_storeu_si512(out.interleaved, first);
  _mm512_storeu_si512(out.interleaved + 32, second);
  table.ordered(x, first, second);
  _mm512_storeu_si512(out.ordered, first);
  _mm512_storeu_si512(out.ordered + 32, second);
  _mm512_storeu_si512(out.halves, table.half(_mm512_castsi512_si256(x)));
  _mm512_storeu_si512(out.halves + 32, table.half(_mm512_extracti64x4_epi64(x, 1)));
}

}  // namespace octet::cpu
