#include "cpu/roofs_probes.h"

namespace octet::cpu {

void probe_avx2(int rounds) {
  __asm__ volatile("vzeroall" ::
                       : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                         "xmm14", "xmm15");
  for (int i = 0; i < rounds; ++i)
    __asm__ volatile(
        "vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "0\n vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "1\n vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "2\n"
        "vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "3\n vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "4\n vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "5\n"
        "vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "6\n vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "7\n vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "8\n"
        "vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "9\n vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "10\n vfmadd231ps %%ymm"
        "12, %%ymm"
        "12, %%ymm"
        "11\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12");
  __asm__ volatile("vzeroupper" :::);
}

}  // namespace octet::cpu
