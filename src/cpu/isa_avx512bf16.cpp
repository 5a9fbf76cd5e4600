// Times vdpbf16ps against the f32 FMA. CPUID says only that the instruction exists: Intel issues it at a quarter of the FMA's rate,
// AMD Zen 4 and 5 do not, and the GEMM ladder must know.
#include <immintrin.h>
#include <time.h>

#include <cstdint>

namespace octet::cpu {

double measure_vdpbf16ps_over_fma();

namespace {

constexpr int kChains = 12;   // independent accumulators: latency 6 x 2 pipes
constexpr int kSteps = 1000;  // about 2 us of FMAs
constexpr int kTrials = 9;    // the fastest of each counts: interruptions only slow down

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

template <class Step>
int64_t fastest(__m512 (&acc)[kChains], Step step) {
  int64_t best = INT64_MAX;
  for (int trial = 0; trial < kTrials; ++trial) {
    const int64_t start = now();
    for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
      for (int c = 0; c < kChains; ++c) {
        acc[c] = step(acc[c]);
        __asm__ volatile("" : "+v"(acc[c]));  // each step is done, none is merged
      }
    }
    const int64_t time = now() - start;
    best = time < best ? time : best;
  }
  return best > 0 ? best : 1;
}

}  // namespace

double measure_vdpbf16ps_over_fma() {
  __m512 acc[kChains];
  for (__m512& a : acc) a = _mm512_setzero_ps();
  const __m512 x = _mm512_set1_ps(0x1p-20f);
  const __m512bh pair = (__m512bh)_mm512_set1_epi16(0x3580);  // 2^-20
  const int64_t fma = fastest(acc, [&](__m512 a) { return _mm512_fmadd_ps(x, x, a); });
  const int64_t dot = fastest(acc, [&](__m512 a) { return _mm512_dpbf16_ps(a, pair, pair); });
  return 2.0 * static_cast<double>(fma) / static_cast<double>(dot);  // two products a lane against one
}

}  // namespace octet::cpu
