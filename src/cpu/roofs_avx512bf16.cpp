#include "cpu/roofs_probes.h"

namespace octet::cpu {

void probe_avx512bf16(int rounds) {
  __asm__ volatile("vzeroall" ::
                       : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                         "xmm14", "xmm15");
  for (int i = 0; i < rounds; ++i)
    __asm__ volatile(
        "vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "0\n vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "1\n vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "2\n"
        "vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "3\n vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "4\n vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "5\n"
        "vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "6\n vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "7\n vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "8\n"
        "vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "9\n vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "10\n vdpbf16ps %%zmm"
        "12, %%zmm"
        "12, %%zmm"
        "11\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12");
  __asm__ volatile("vzeroupper" :::);
}

}  // namespace octet::cpu
