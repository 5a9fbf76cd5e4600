// GEMM by f32 FMA, AVX2: 6 rows by two vectors of 8 columns, so that 12 of 16 registers hold sums. The code: gemm_vector.h.
#include "cpu/kernels/gemm/gemm_rows.h"
#include "cpu/kernels/gemm/gemm_vector.h"
#include "cpu/simd/f32x8_avx2.h"

namespace octet::cpu {

void run_gemm_e4m3_avx2(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<FmaArithmetic<F32x8, DType::e4m3, 6>>(p, args, thread, threads);
}
void run_gemm_f16_avx2(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<FmaArithmetic<F32x8, DType::f16, 6>>(p, args, thread, threads);
}
void run_gemm_bf16_avx2(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<FmaArithmetic<F32x8, DType::bf16, 6>>(p, args, thread, threads);
}
void run_gemm_f32_avx2(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_vector_gemm<FmaArithmetic<F32x8, DType::f32, 6>>(p, args, thread, threads);
}

}  // namespace octet::cpu
