// out[m,n] = round((act(sum_k a[m,k] * w[n,k] * alpha[n] + bias[n]) * mul[n] + residual[m,n]) / out_scale[n])
//
// a: e4m3, f16, bf16 or f32 [m, k] row-major, row stride k. w: [n, k] row-major, packed once by pack(); of a's type, or bf16 beside an
// e4m3 a (codes widened once for all, which is exact: the same bits come out).
//
// Products exact, accumulated in f32; alpha, bias, act, mul, residual and the division in f32; one rounding to the output type (f16, bf16,
// f32, or e4m3 with saturation). Result bits do not depend on m, on the position of a row, or on the number of threads.
// Error before the last rounding: <= (k + 8) * 2^-24 * (sum_k |a*w*alpha| + |bias|), carried through the activation (slope <= 1.13,
// plus 4 ulp of its argument), mul and the sum (gemm_reference.h spells it out). NaN gives NaN. The bf16 kernels take a bf16 below
// 2^-126 as 0, and may give NaN where an infinite input should give infinity.
//
// Tiled: a, or the output, of 8 or bf16 bits lies as the bf16 values that AMX tiles hold, in the order in which they are loaded: strips
// of 32 rows, in each the steps of 32 columns, in each 32 rows of 64 bytes; columns i and i + 16 of a step are neighbours. The values are
// those of the plain output, bit for bit. What lies below the last row is not defined. tiled_bytes(), tile_rows() and untile_rows() below.
//
// The ladder from the simple to the fast kernel: docs/kernels/gemm.md.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "numeric/dtype.h"

namespace octet::cpu {

enum class Act : uint8_t { kNone = 0, kQuickGelu, kGeluErf, kGeluTanh };  // values of plan::Activation

struct GemmProblem {
  DType a = DType::e4m3, w = DType::e4m3, out = DType::f16;
  int64_t n = 0, k = 0;
  Act act = Act::kNone;
  bool residual = false;
  bool tiled_a = false, tiled_out = false;
};
struct GemmArgs {
  const void* a;
  int64_t m;
  const void* packed;          // from pack()
  const float* alpha;          // [n]
  const float* bias;           // [n], zeros if none
  const float* mul;            // [n]; mul[n] / out_scale[n] already combined is NOT done: both are given
  const float* inv_out_scale;  // [n], 1 / out_scale rounded to f32; ones for float outputs
  const void* residual;        // [m, n] of the output dtype (float outputs only) or nullptr; may alias out
  void* out;                   // [m, n] row-major, row stride n
  void* scratch;               // this thread's scratch_bytes(), 64-byte aligned
};
struct GemmKernel {
  std::string_view name;  // gemm_<a>_<w>_<compute>_<isa>
  uint32_t isa;
  Refusal (*accepts)(const GemmProblem&);
  size_t (*packed_bytes)(const GemmProblem&);
  void (*pack)(const GemmProblem&, const void* w, void* packed);              // packed is 64-byte aligned
  size_t (*scratch_bytes)(const GemmProblem&, int64_t max_m, int threads);    // per thread
  void (*run)(const GemmProblem&, const GemmArgs&, int thread, int threads);  // this thread's static share
};
std::span<const GemmKernel> gemm_kernels();  // best first; the last accepts everything

size_t tiled_bytes(int64_t rows, int64_t columns);
// [rows, columns] of e4m3 or bf16 to the tiled form, and back (bits of zeros and NaNs may change).
void tile_rows(DType type, const void* plain, int64_t rows, int64_t columns, void* tiled);
void untile_rows(DType type, const void* tiled, int64_t rows, int64_t columns, void* plain);

}  // namespace octet::cpu
