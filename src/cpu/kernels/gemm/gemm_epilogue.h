// The tail of every vector kernel: y = round((act(acc * alpha + bias) * mul + residual) * inv_out_scale), for a few rows of two
// vectors of columns. V: simd/f32x16_avx512.h or simd/f32x8_avx2.h, included first. One instance per activation, output type and
// residual, so that nothing is decided per element. Next: gemm_fma.h, gemm_amx.cpp, which call it.
#pragma once
#include "cpu/kernels/gemm/gemm.h"
#include "cpu/simd/math.h"

namespace octet::cpu {
namespace {

// Finishes rows [row, row + rows) x columns [col, col + 2 * V::kLanes) cut at n, from sums at c with `stride` floats between rows.
using FinishRows = void (*)(const GemmProblem& p, const GemmArgs& args, const float* c, int64_t stride, int64_t row, int64_t rows,
                            int64_t col);

template <Act kAct, class V>
inline V activate(V x) {
  if constexpr (kAct == Act::kQuickGelu) return quick_gelu(x);
  if constexpr (kAct == Act::kGeluErf) return gelu_erf(x);
  if constexpr (kAct == Act::kGeluTanh) return gelu_tanh(x);
  return x;
}

template <class V, Act kAct, DType kOut, bool kResidual>
void finish_rows(const GemmProblem& p, const GemmArgs& args, const float* c, int64_t stride, int64_t row, int64_t rows, int64_t col) {
  constexpr int kVectors = 2;
  typename V::Mask mask[kVectors];
  V alpha[kVectors], bias[kVectors], mul[kVectors], inv[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const int64_t first = col + v * V::kLanes;
    mask[v] = V::first(p.n - first);
    alpha[v] = V::load(args.alpha + first, mask[v]);
    bias[v] = V::load(args.bias + first, mask[v]);
    mul[v] = V::load(args.mul + first, mask[v]);
    inv[v] = V::load(args.inv_out_scale + first, mask[v]);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t index = (row + r) * p.n + col;
    for (int v = 0; v < kVectors; ++v) {
      const V y = activate<kAct>(fma(V::load(c + r * stride + v * V::kLanes), alpha[v], bias[v]));
      const int64_t at = index + v * V::kLanes;
      if constexpr (kResidual)
        store_as(kOut, args.out, at, fma(y, mul[v], load_as(kOut, args.residual, at, mask[v])) * inv[v], mask[v]);
      else
        store_as(kOut, args.out, at, y * mul[v] * inv[v], mask[v]);
    }
  }
}

template <class V, Act kAct>
FinishRows choose_finish(DType out, bool residual) {
  switch (out) {
    case DType::e4m3: return finish_rows<V, kAct, DType::e4m3, false>;
    case DType::f16: return residual ? finish_rows<V, kAct, DType::f16, true> : finish_rows<V, kAct, DType::f16, false>;
    case DType::bf16: return residual ? finish_rows<V, kAct, DType::bf16, true> : finish_rows<V, kAct, DType::bf16, false>;
    default: return residual ? finish_rows<V, kAct, DType::f32, true> : finish_rows<V, kAct, DType::f32, false>;
  }
}
template <class V>
FinishRows choose_finish(const GemmProblem& p, const GemmArgs& args) {
  const bool residual = args.residual != nullptr;
  switch (p.act) {
    case Act::kQuickGelu: return choose_finish<V, Act::kQuickGelu>(p.out, residual);
    case Act::kGeluErf: return choose_finish<V, Act::kGeluErf>(p.out, residual);
    case Act::kGeluTanh: return choose_finish<V, Act::kGeluTanh>(p.out, residual);
    default: return choose_finish<V, Act::kNone>(p.out, residual);
  }
}

}  // namespace
}  // namespace octet::cpu
