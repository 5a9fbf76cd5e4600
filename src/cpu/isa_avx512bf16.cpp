// Times vdpbf16ps against the f32 FMA. CPUID says only that the instruction exists: Intel issues it at a quarter of the FMA's rate,
// AMD Zen 4 and 5 do not, and the GEMM ladder must know.
#include <time.h>

#include <cstdint>

namespace octet::cpu {

double measure_vdpbf16ps_over_fma();

namespace {

constexpr int kSteps = 600;  // of 12 instructions: about 1 us of FMAs
constexpr int kTrials = 25;  // the fastest of each counts: interruptions only slow down

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// Twelve independent chains (latency 4 to 6, two pipes), in fixed registers so that nothing but the instruction is timed.
#define OCTET_TWELVE(instruction)                                                                                                   \
  instruction                                                                                                                       \
      " %%zmm12, %%zmm12, %%zmm0\n" instruction " %%zmm12, %%zmm12, %%zmm1\n" instruction " %%zmm12, %%zmm12, %%zmm2\n" instruction \
      " %%zmm12, %%zmm12, %%zmm3\n" instruction " %%zmm12, %%zmm12, %%zmm4\n" instruction " %%zmm12, %%zmm12, %%zmm5\n" instruction \
      " %%zmm12, %%zmm12, %%zmm6\n" instruction " %%zmm12, %%zmm12, %%zmm7\n" instruction " %%zmm12, %%zmm12, %%zmm8\n" instruction \
      " %%zmm12, %%zmm12, %%zmm9\n" instruction " %%zmm12, %%zmm12, %%zmm10\n" instruction " %%zmm12, %%zmm12, %%zmm11\n"
#define OCTET_CLOBBERS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12"

void fmas() {
  for (int i = 0; i < kSteps; ++i) __asm__ volatile(OCTET_TWELVE("vfmadd231ps")::: OCTET_CLOBBERS);
}
void dots() {
  for (int i = 0; i < kSteps; ++i) __asm__ volatile(OCTET_TWELVE("vdpbf16ps")::: OCTET_CLOBBERS);
}
void clear() {  // before: a leftover subnormal could cost an assist; after: no dirty upper halves stay behind
  __asm__ volatile("vzeroall" ::: OCTET_CLOBBERS, "xmm13", "xmm14", "xmm15");
}

int64_t fastest(void (*chains)()) {
  int64_t best = INT64_MAX;
  for (int trial = 0; trial < kTrials; ++trial) {
    clear();
    const int64_t start = now();
    chains();
    const int64_t time = now() - start;
    best = time < best ? time : best;
    clear();
  }
  return best > 0 ? best : 1;
}

}  // namespace

double measure_vdpbf16ps_over_fma() {
  const int64_t fma = fastest(fmas), dot = fastest(dots);
  return 2.0 * static_cast<double>(fma) / static_cast<double>(dot);  // two products a lane against one
}

}  // namespace octet::cpu
