// GEMM by f32 FMA, AVX512: 14 rows by two vectors of 16 columns, so that 28 of 32 registers hold sums. The code: gemm_vector.h.
#include "cpu/kernels/gemm/gemm_rows.h"
#include "cpu/kernels/gemm/gemm_vector.h"
#include "cpu/simd/f32x16_avx512.h"

namespace octet::cpu {

void run_gemm_e4m3_avx512(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<FmaArithmetic<F32x16, DType::e4m3, 14>>(p, args, thread, threads);
}
void run_gemm_f16_avx512(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<FmaArithmetic<F32x16, DType::f16, 14>>(p, args, thread, threads);
}
void run_gemm_bf16_avx512(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<FmaArithmetic<F32x16, DType::bf16, 14>>(p, args, thread, threads);
}
void run_gemm_f32_avx512(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<FmaArithmetic<F32x16, DType::f32, 14>>(p, args, thread, threads);
}

}  // namespace octet::cpu
