// GEMM by vdpbf16ps (two exact bf16 products a lane, f32 sums), for CPUs that run it faster than the f32 FMA: AMD Zen 4 and 5.
// Weights in the tile order of the AMX kernels: a row of a tile is one vector. The code: gemm_vector.h.
#include "cpu/kernels/gemm/gemm_rows.h"
#include "cpu/kernels/gemm/gemm_vector.h"
#include "cpu/simd/e4m3_avx512.h"
#include "cpu/simd/f32x16_avx512.h"

namespace octet::cpu {
namespace {

// kA, kW: e4m3 or bf16. An element is a pair of k; a widened step of w is 2 tiles of 16 vectors.
template <DType kA, DType kW = kA>
struct DotArithmetic {
  using V = F32x16;
  using Vector = __m512bh;
  static constexpr int kRows = 14;
  static constexpr int64_t kUnit = 2;
  E4m3ToBf16 table;

  static int64_t units(const GemmProblem& p) { return (p.k + kAmxStep - 1) / kAmxStep * (kAmxStep / 2); }

  void widen_a(const GemmProblem& p, const void* a, int64_t row, int64_t unit, int64_t count, float* out) const {
    for (int64_t i = 0; i < count; i += 16) {  // 16 pairs
      const int64_t index = row * p.k + (unit + i) * 2, left = p.k - (unit + i) * 2;
      if constexpr (kA == DType::e4m3) _mm512_storeu_si512(out + i, table.load(static_cast<const uint8_t*>(a) + index, left));
      else _mm512_storeu_si512(out + i, load_halves(static_cast<const uint16_t*>(a) + index, left));
    }
  }
  void widen_w(const GemmProblem& p, const void* packed, int64_t block, int64_t unit, int64_t count, float* out) const {
    const auto* source = static_cast<const uint8_t*>(packed) + (block * units(p) + unit) * kAmxBlock * 2 * (kW == DType::e4m3 ? 1 : 2);
    for (int64_t i = 0; i < 2 * count; ++i) {
      if constexpr (kW == DType::e4m3) {
        if (i % 2 != 0) continue;
        __m512i first, second;
        table.interleaved(_mm512_loadu_si512(source + i * 32), first, second);
        _mm512_storeu_si512(out + i * 16, first);
        _mm512_storeu_si512(out + i * 16 + 16, second);
      } else {
        _mm512_storeu_si512(out + i * 16, _mm512_loadu_si512(source + i * 64));
      }
    }
  }
  static Vector vector_at(const float* w, int64_t unit, int v) {
    return (Vector)_mm512_loadu_si512(w + (unit / 16 * 32 + v * 16 + unit % 16) * 16);
  }
  static Vector broadcast(const float* a) { return (Vector)_mm512_set1_ps(*a); }
  static V add(V sum, Vector a, Vector w) { return {_mm512_dpbf16_ps(sum.v, a, w)}; }
};

}  // namespace

void run_gemm_e4m3_avx512bf16(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<DotArithmetic<DType::e4m3>>(p, args, thread, threads);
}
void run_gemm_e4m3_by_bf16_avx512bf16(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<DotArithmetic<DType::e4m3, DType::bf16>>(p, args, thread, threads);
}
void run_gemm_bf16_avx512bf16(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<DotArithmetic<DType::bf16>>(p, args, thread, threads);
}

}  // namespace octet::cpu
