// GEMM on vector registers, written once: a block of kRows rows by two vectors of columns is summed in registers over a slice of k,
// one broadcast element of a times two vectors of w at a time. The Arithmetic says what an element is: one f32 (FMA), or a pair of
// bf16 (dot product). Narrow operands are widened per slice into scratch that stays in L1 (a) and L2 (w). Included by ISA files.
//
// Arithmetic: V (lanes for the epilogue, gemm_epilogue.h), Vector, kRows, kUnit: values of k in an element, units(p): elements along k;
// widen_a, widen_w; vector_at(w, unit, v): where a widened slice keeps column vector v of an element; add(sum, a, w): sum + broadcast(*a) *
// w.
#pragma once
#include "cpu/kernels/gemm/gemm_epilogue.h"
#include "cpu/kernels/gemm/gemm_layout.h"

namespace octet::cpu {
namespace {

template <class Arithmetic>
class VectorGemm {
  using V = typename Arithmetic::V;
  using Vector = typename Arithmetic::Vector;
  static constexpr int kRows = Arithmetic::kRows, kColumns = 2 * V::kLanes;

 public:
  VectorGemm(const GemmProblem& p, const GemmArgs& args) : p_(p), args_(args), finish_(choose_finish<V>(p, args)) {
    w_ = static_cast<float*>(args.scratch);
    a_ = w_ + kVectorPanel * kVectorSlice;
    sums_ = a_ + kRows * kVectorSlice;
    factors_ = sums_ + (kVectorRows + kRows) * kVectorPanel;
  }

  void run(const GemmShare& mine) {
    constexpr int64_t kChunk = kVectorRows / kRows * kRows;
    finish_args_ = {args_.residual, args_.out, p_.n, fold_factors(p_, args_, mine.col_begin, mine.col_end, V::kE4m3Unit, factors_)};
    for (int64_t col = mine.col_begin; col < mine.col_end; col += kVectorPanel)
      for (int64_t row = mine.row_begin; row < mine.row_end; row += kChunk)
        run_chunk(row, min(mine.row_end, row + kChunk), col, min(mine.col_end, col + kVectorPanel));
  }

 private:
  static int64_t min(int64_t x, int64_t y) { return x < y ? x : y; }

  void run_chunk(int64_t row_begin, int64_t row_end, int64_t col_begin, int64_t col_end) {
    const int64_t units = Arithmetic::units(p_);
    for (int64_t unit = 0; unit == 0 || unit < units; unit += kVectorSlice) {
      const int64_t count = min(kVectorSlice, units - unit);
      for (int64_t col = col_begin; col < col_end; col += kColumns)
        arithmetic_.widen_w(p_, args_.packed, col / kColumns, unit, count, w_ + (col - col_begin) * kVectorSlice);
      float* sums = sums_;
      for (int64_t row = row_begin; row < row_end; row += kRows) {
        const int64_t rows = min(kRows, row_end - row);
        for (int64_t r = 0; r < rows; ++r) arithmetic_.widen_a(p_, args_.a, row + r, unit, count, a_ + r * kVectorSlice);
        prefetch_a(row + kRows, min(row + 2 * kRows, row_end), unit, count);
        for (int64_t col = col_begin; col < col_end; col += kColumns, sums += kRows * kColumns) {
          run_block(rows, w_ + (col - col_begin) * kVectorSlice, count, unit == 0, sums);
          if (unit + count == units) finish_(finish_args_, sums, kColumns, row, rows, col, true, true);
        }
      }
    }
  }

  // The next rows' slices: short runs far apart, which no hardware prefetcher foresees.
  void prefetch_a(int64_t row, int64_t row_end, int64_t unit, int64_t count) const {
    const auto size = static_cast<int64_t>(size_of(p_.a));
    const int64_t begin = unit * Arithmetic::kUnit * size, bytes = min(count * Arithmetic::kUnit, p_.k - unit * Arithmetic::kUnit) * size;
    for (; row < row_end; ++row) {
      const char* from = static_cast<const char*>(args_.a) + row * p_.k * size + begin;
      for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + i);
    }
  }

  // The fewest rows of code that cover `rows`: small batches must not pay for kRows.
  void run_block(int64_t rows, const float* w, int64_t count, bool first, float* sums) {
    if (rows > 8) return multiply<kRows>(w, count, first, sums);
    if (rows > 4) return multiply<(kRows < 8 ? kRows : 8)>(w, count, first, sums);
    if (rows > 1) return multiply<4>(w, count, first, sums);
    multiply<1>(w, count, first, sums);
  }

  template <int kHeight>
  void multiply(const float* w, int64_t count, bool first, float* sums) {
    V sum[kHeight][2];
#pragma GCC unroll 16
    for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) sum[r][v] = first ? V::zero() : V::load(sums + r * kColumns + v * V::kLanes);
    for (int64_t unit = 0; unit < count; ++unit) {
      const Vector w0 = Arithmetic::vector_at(w, unit, 0), w1 = Arithmetic::vector_at(w, unit, 1);
#pragma GCC unroll 16
      for (int r = 0; r < kHeight; ++r) {
        const Vector a = Arithmetic::broadcast(a_ + r * kVectorSlice + unit);
        sum[r][0] = Arithmetic::add(sum[r][0], a, w0);
        sum[r][1] = Arithmetic::add(sum[r][1], a, w1);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) sum[r][v].store(sums + r * kColumns + v * V::kLanes);
  }

  const GemmProblem& p_;
  const GemmArgs& args_;
  Arithmetic arithmetic_;
  FinishRows finish_;
  FinishArgs finish_args_{};
  float *w_, *a_, *sums_, *factors_;
};

// f32 FMA over columns packed by pack_column_panels(2 * V::kLanes), operands of type kType.
template <class Lanes, DType kType, int kHeight>
struct FmaArithmetic {
  using V = Lanes;
  using Vector = Lanes;
  static constexpr int kRows = kHeight;
  static constexpr int64_t kUnit = 1;

  static int64_t units(const GemmProblem& p) { return p.k; }
  static void widen(const void* source, int64_t index, int64_t count, float* out) {
    constexpr int64_t kPair = 2 * V::kLanes;
    V a, b;
    int64_t i = 0;
    for (; i + kPair <= count; i += kPair) {  // the count is a constant here: no masks
      load_pair<kType>(source, index + i, a, b, kPair);
      a.store(out + i), b.store(out + i + V::kLanes);
    }
    if (i == count) return;
    load_pair<kType>(source, index + i, a, b, count - i);
    a.store(out + i), b.store(out + i + V::kLanes);
  }
  void widen_a(const GemmProblem& p, const void* a, int64_t row, int64_t unit, int64_t count, float* out) const {
    widen(a, row * p.k + unit, count, out);
  }
  void widen_w(const GemmProblem& p, const void* packed, int64_t panel, int64_t unit, int64_t count, float* out) const {
    constexpr int kColumns = 2 * V::kLanes;
    widen(packed, (panel * p.k + unit) * kColumns, count * kColumns, out);
  }
  static V vector_at(const float* w, int64_t unit, int v) { return V::load(w + (unit * 2 + v) * V::kLanes); }
  static V broadcast(const float* a) { return V::set(*a); }
  static V add(V sum, V a, V w) { return fma(a, w, sum); }
};

template <class Arithmetic>
void run_vector_gemm(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  const GemmShare mine = gemm_share(args.m, p.n, Arithmetic::kRows, 2 * Arithmetic::V::kLanes, thread, threads);
  if (mine.row_begin < mine.row_end && mine.col_begin < mine.col_end) VectorGemm<Arithmetic>(p, args).run(mine);
}

}  // namespace
}  // namespace octet::cpu
