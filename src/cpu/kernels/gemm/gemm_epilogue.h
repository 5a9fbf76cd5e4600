// The tail of every vector kernel: y = round((act(acc * alpha + bias) * mul + residual) * inv_out_scale), for a few rows of two
// vectors of columns. V: F32x16 or F32x8. One instance per activation, output type and
// residual, so that nothing is decided per element; per column, the factors are folded once per call (GemmFactors).
// Next: gemm_vector.h, gemm_amx.cpp, which call it.
#pragma once
#include "cpu/kernels/gemm/gemm_layout.h"
#include "cpu/simd/native.h"

namespace octet::cpu {
namespace {

struct FinishArgs {
  const void* residual;
  void* out;
  int64_t n;
  GemmFactors factors;
};
// Finishes rows [row, row + rows) x columns [col, col + 2 * V::kLanes) cut at n, from sums at c (overwritten) with `stride` floats
// between rows. A block may be finished in several calls, in order: `first` and `last` say where its ends are.
using FinishRows = void (*)(const FinishArgs& args, float* c, int64_t stride, int64_t row, int64_t rows, int64_t col, bool first,
                            bool last);

template <Act kAct, class V>
inline V activate(V x) {
  if constexpr (kAct == Act::kQuickGelu) return quick_gelu(x);
  if constexpr (kAct == Act::kGeluErf) return gelu_erf(x);
  if constexpr (kAct == Act::kGeluTanh) return gelu_tanh(x);
  return x;
}

template <class V>
inline V scaled(const GemmFactors& f, const float* c, int64_t column) {
  return fma(V::load(c), V::load(f.scale + column), V::load(f.shift + column));
}
template <class V, Act kAct>
inline void activate_row(const GemmFactors& f, float* c, int64_t column) {
  for (int v = 0; v < 2; ++v) activate<kAct>(scaled<V>(f, c + v * V::kLanes, column + v * V::kLanes)).store(c + v * V::kLanes);
}
template <class V, Act kAct, DType kOut, bool kResidual>
inline void store_row(const FinishArgs& args, const float* c, int64_t row, int64_t col) {
  const GemmFactors& f = args.factors;
  const int64_t index = row * args.n + col;
  V y[2];
  for (int v = 0; v < 2; ++v) {
    const int64_t lane = v * V::kLanes, column = col - f.first + lane;
    y[v] = kAct == Act::kNone ? scaled<V>(f, c + lane, column) : V::load(c + lane);
    if constexpr (kResidual) {
      const V residual = load_as(kOut, args.residual, index + lane, V::first(args.n - col - lane));
      y[v] = (kAct == Act::kNone ? y[v] + residual : fma(y[v], V::load(f.gain + column), residual)) * V::load(f.last + column);
    } else if constexpr (kAct != Act::kNone) {
      y[v] = y[v] * V::load(f.gain + column);
    }
  }
  store_pair<kOut>(args.out, index, y[0], y[1], args.n - col);
}

// Each row is activated while the one before it is rounded and stored: two short chains of dependent operations instead of a long
// one, which would fill the scheduler and hold up the tile loads behind it (measured: docs/kernels/gemm.md).
template <class V, Act kAct, DType kOut, bool kResidual>
void finish_rows(const FinishArgs& args, float* c, int64_t stride, int64_t row, int64_t rows, int64_t col, bool first, bool last) {
  const int64_t column = col - args.factors.first;
  if (kAct != Act::kNone && first) activate_row<V, kAct>(args.factors, c, column);
  for (int64_t r = 0; r < rows; ++r, c += stride) {
    if (kAct != Act::kNone && (r + 1 < rows || !last)) activate_row<V, kAct>(args.factors, c + stride, column);
    store_row<V, kAct, kOut, kResidual>(args, c, row + r, col);
  }
}

#if defined(__AVX512F__)
// The tiled form of gemm.h: a block of 32 columns is one step, a row of it 64 bytes.
template <Act kAct, DType kOut>
void finish_tiled(const FinishArgs& args, float* c, int64_t stride, int64_t row, int64_t rows, int64_t col, bool first, bool last) {
  const GemmFactors& f = args.factors;
  const int64_t column = col - f.first, steps = (args.n + kAmxStep - 1) / kAmxStep;
  if (kAct != Act::kNone && first) activate_row<F32x16, kAct>(f, c, column);
  for (int64_t r = row; r < row + rows; ++r, c += stride) {
    if (kAct != Act::kNone && (r + 1 < row + rows || !last)) activate_row<F32x16, kAct>(f, c + stride, column);
    __m512i y[2];
    for (int v = 0; v < 2; ++v) {
      const float* sums = c + v * 16;
      const F32x16 value =
          kAct == Act::kNone ? scaled<F32x16>(f, sums, column + v * 16) : F32x16::load(sums) * F32x16::load(f.gain + column + v * 16);
      y[v] = kOut == DType::e4m3 ? _mm512_castps_si512(round_to_e4m3<0>(value).v) : round_to_bf16(value);
    }
    auto* to = static_cast<char*>(args.out) + ((r / kAmxStrip * steps + col / kAmxStep) * kAmxStrip + r % kAmxStrip) * 64;
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    _mm512_store_si512(to, _mm512_ternarylogic_epi32(upper, y[1], _mm512_srli_epi32(y[0], 16), 0xea));  // (upper & y[1]) | y[0] >> 16
  }
}
template <Act kAct>
FinishRows choose_tiled(DType out) {
  return out == DType::e4m3 ? finish_tiled<kAct, DType::e4m3> : finish_tiled<kAct, DType::bf16>;
}
inline FinishRows choose_tiled(const GemmProblem& p) {
  switch (p.act) {
    case Act::kQuickGelu:
      return choose_tiled<Act::kQuickGelu>(p.out);
    case Act::kGeluErf:
      return choose_tiled<Act::kGeluErf>(p.out);
    case Act::kGeluTanh:
      return choose_tiled<Act::kGeluTanh>(p.out);
    default:
      return choose_tiled<Act::kNone>(p.out);
  }
}
#endif

template <class V, Act kAct>
FinishRows choose_finish(DType out, bool residual) {
  switch (out) {
    case DType::e4m3:
      return finish_rows<V, kAct, DType::e4m3, false>;
    case DType::f16:
      return residual ? finish_rows<V, kAct, DType::f16, true> : finish_rows<V, kAct, DType::f16, false>;
    case DType::bf16:
      return residual ? finish_rows<V, kAct, DType::bf16, true> : finish_rows<V, kAct, DType::bf16, false>;
    default:
      return residual ? finish_rows<V, kAct, DType::f32, true> : finish_rows<V, kAct, DType::f32, false>;
  }
}
template <class V>
FinishRows choose_finish(const GemmProblem& p, const GemmArgs& args) {
  const bool residual = args.residual != nullptr;
  switch (p.act) {
    case Act::kQuickGelu:
      return choose_finish<V, Act::kQuickGelu>(p.out, residual);
    case Act::kGeluErf:
      return choose_finish<V, Act::kGeluErf>(p.out, residual);
    case Act::kGeluTanh:
      return choose_finish<V, Act::kGeluTanh>(p.out, residual);
    default:
      return choose_finish<V, Act::kNone>(p.out, residual);
  }
}

}  // namespace
}  // namespace octet::cpu
