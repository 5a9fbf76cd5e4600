// GEMM on AMX tiles: bf16 products, f32 sums. E4M3 codes are widened to bf16 on the way (exact); an f16 is split into two bf16 whose
// sum it is (exact), at the price of four products. Blocking and its measurements: docs/kernels/gemm.md; sizes: gemm_layout.h.
//
// A strip is 32 rows of a, a block 32 columns of w: 2 x 2 tiles of sums, 2 + 2 operand tiles. Per slice of k: the strip's codes are
// widened into L1 (32 KiB), then multiplied with every block of the panel, which streams from L2. Sums of a strip's earlier slices
// wait in memory. After the last slice a block is finished (gemm_epilogue.h) while the tiles work on the next one.
#include <immintrin.h>

#include <type_traits>

#include "cpu/kernels/gemm/gemm_layout.h"
#include "cpu/kernels/gemm/gemm_rows.h"
#include "cpu/simd/e4m3_avx512.h"
#include "cpu/simd/f32x16_avx512.h"

#include "cpu/kernels/gemm/gemm_epilogue.h"

namespace octet::cpu {
namespace {

constexpr int kTileBytes = 1024;  // 16 rows of 64 bytes

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// The three operand types. kPlanes: bf16 tiles per tile of the type. expand(): 32 elements (k) of one row of a.
// widen(): packed weights to tiles; kDirect: the packed bytes are tiles already.
struct E4m3Operand {
  static constexpr int kPlanes = 1, kBytes = 1;
  static constexpr bool kDirect = false;
  E4m3ToBf16 table;

  void expand(const uint8_t* a, int64_t count, char* tile) const {
    const __mmask32 m = count >= 32 ? ~0u : (1u << count) - 1;
    _mm512_store_si512(tile, table.half(_mm256_maskz_loadu_epi8(m, a)));
  }
  void expand2(const uint8_t* a, char* tile, char* next) const {
    __m512i first, second;
    table.ordered(_mm512_loadu_si512(a), first, second);
    _mm512_store_si512(tile, first);
    _mm512_store_si512(next, second);
  }
  void widen(const uint8_t* packed, char* tiles, int64_t count) const {
    for (int64_t i = 0; i < count * (kTileBytes / 128); ++i) {
      __m512i first, second;
      table.interleaved(_mm512_load_si512(packed + i * 64), first, second);
      _mm512_store_si512(tiles + i * 128, first);
      _mm512_store_si512(tiles + i * 128 + 64, second);
    }
  }
};

struct Bf16Operand {
  static constexpr int kPlanes = 1, kBytes = 2;
  static constexpr bool kDirect = true;

  void expand(const uint8_t* a, int64_t count, char* tile) const {
    const __mmask32 m = count >= 32 ? ~0u : (1u << count) - 1;
    _mm512_store_si512(tile, _mm512_maskz_loadu_epi16(m, a));
  }
  void expand2(const uint8_t* a, char* tile, char* next) const {
    _mm512_store_si512(tile, _mm512_loadu_si512(a));
    _mm512_store_si512(next, _mm512_loadu_si512(a + 64));
  }
};

// x = high + low: high is x rounded to bf16, low the rest, which has at most 3 significant bits and lies above 2^-33, so both are
// exact normal bf16. Low of an infinity or a NaN is 0.
struct F16Operand {
  static constexpr int kPlanes = 2, kBytes = 2;
  static constexpr bool kDirect = false;

  static void split(__m512i halves, char* high_row, char* low_row) {
    const __m512 x0 = _mm512_cvtph_ps(_mm512_castsi512_si256(halves)), x1 = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1));
    const __m512i high = (__m512i)_mm512_cvtne2ps_pbh(x1, x0);
    const __m512 high0 = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(high)), 16));
    const __m512 high1 = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(high, 1)), 16));
    constexpr int kNanOrInfinity = 0x99;
    const __m512 low0 = _mm512_maskz_sub_ps(~_mm512_fpclass_ps_mask(x0, kNanOrInfinity), x0, high0);
    const __m512 low1 = _mm512_maskz_sub_ps(~_mm512_fpclass_ps_mask(x1, kNanOrInfinity), x1, high1);
    _mm512_store_si512(high_row, high);
    _mm512_store_si512(low_row, (__m512i)_mm512_cvtne2ps_pbh(low1, low0));
  }
  // A step of a strip or block is two high tiles, then two low tiles.
  void expand(const uint8_t* a, int64_t count, char* tile) const {
    const __mmask32 m = count >= 32 ? ~0u : (1u << count) - 1;
    split(_mm512_maskz_loadu_epi16(m, a), tile, tile + 2 * kTileBytes);
  }
  void expand2(const uint8_t* a, char* tile, char* next) const {
    split(_mm512_loadu_si512(a), tile, tile + 2 * kTileBytes);
    split(_mm512_loadu_si512(a + 64), next, next + 2 * kTileBytes);
  }
  void widen(const uint8_t* packed, char* tiles, int64_t count) const {
    for (int64_t pair = 0; pair < count / 2; ++pair)
      for (int64_t row = 0; row < 32; ++row) {
        char* high = tiles + pair * 4 * kTileBytes + row * 64;
        split(_mm512_load_si512(packed + (pair * 32 + row) * 64), high, high + 2 * kTileBytes);
      }
  }
};

// Sums of one block, 32 x 32 floats row-major, still to be finished.
struct Pending {
  const float* c = nullptr;  // nullptr: none
  int64_t row = 0, rows = 0, col = 0;
};

constexpr int kSumStride = kAmxBlock * 4;  // bytes between rows of sums

template <int kHalves>
inline void load_sums(const float* c) {
  _tile_loadd(0, c, kSumStride);
  _tile_loadd(1, c + 16, kSumStride);
  if constexpr (kHalves == 2) {
    _tile_loadd(2, c + 16 * kAmxBlock, kSumStride);
    _tile_loadd(3, c + 16 * kAmxBlock + 16, kSumStride);
  }
}
template <int kHalves>
inline void store_sums(float* c) {
  _tile_stored(0, c, kSumStride);
  _tile_stored(1, c + 16, kSumStride);
  if constexpr (kHalves == 2) {
    _tile_stored(2, c + 16 * kAmxBlock, kSumStride);
    _tile_stored(3, c + 16 * kAmxBlock + 16, kSumStride);
  }
}
template <int kHalves>
inline void multiply_pair() {  // tiles 4, 5: rows of a; 6, 7: columns of w
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  if constexpr (kHalves == 2) {
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}

// One step of 32 k. w is read past L1 (stream): it must not push the strip out, which every block reads again.
template <int kHalves, int kPlanes>
inline void multiply_step(const char* a, const char* w) {
  _tile_loadd(4, a, 64);
  _tile_stream_loadd(6, w, 64);
  _tile_stream_loadd(7, w + kTileBytes, 64);
  if constexpr (kHalves == 2) _tile_loadd(5, a + kTileBytes, 64);
  multiply_pair<kHalves>();
  if constexpr (kPlanes == 2) {  // high * low, low * low, low * high
    _tile_stream_loadd(6, w + 2 * kTileBytes, 64);
    _tile_stream_loadd(7, w + 3 * kTileBytes, 64);
    multiply_pair<kHalves>();
    _tile_loadd(4, a + 2 * kTileBytes, 64);
    if constexpr (kHalves == 2) _tile_loadd(5, a + 3 * kTileBytes, 64);
    multiply_pair<kHalves>();
    _tile_stream_loadd(6, w, 64);
    _tile_stream_loadd(7, w + kTileBytes, 64);
    multiply_pair<kHalves>();
  }
}

template <class Operand>
class AmxGemm {
 public:
  AmxGemm(const GemmProblem& p, const GemmArgs& args, const TileBlocking& blocking)
      : p_(p), args_(args), b_(blocking), finish_(choose_finish<F32x16>(p, args)) {
    char* scratch = static_cast<char*>(args.scratch);
    strip_ = scratch;
    ring_ = reinterpret_cast<float*>(scratch + b_.strip_bytes);
    sums_ = ring_ + 2 * kAmxStrip * kAmxBlock;
    panel_ = reinterpret_cast<char*>(sums_) + b_.sum_bytes;
  }

  void run(const GemmShare& mine) {
    for (int64_t col = mine.col_begin; col < mine.col_end; col += b_.panel_blocks * kAmxBlock) {
      col_ = col;
      blocks_ = min((mine.col_end - col + kAmxBlock - 1) / kAmxBlock, b_.panel_blocks);
      if (b_.whole_k) widen_panel(0, b_.steps);
      for (int64_t row = mine.row_begin; row < mine.row_end; row += b_.chunk_rows) run_chunk(row, min(mine.row_end, row + b_.chunk_rows));
    }
    finish_pending(0, kAmxStrip);
  }

 private:
  static constexpr int kStepBytes = 2 * kTileBytes * Operand::kPlanes;    // of a strip or block, widened
  static constexpr int kPackedStep = 2 * kTileBytes / 2 * Operand::kBytes;  // of a block, packed

  static int64_t min(int64_t x, int64_t y) { return x < y ? x : y; }

  void run_chunk(int64_t row_begin, int64_t row_end) {
    for (int64_t step = 0; step < b_.steps; step += b_.slice_steps) {
      const int64_t steps = min(b_.slice_steps, b_.steps - step);
      if (!b_.whole_k) widen_panel(step, steps);
      float* sums = sums_;
      for (int64_t row = row_begin; row < row_end; row += kAmxStrip, sums += blocks_ * kAmxStrip * kAmxBlock) {
        const int64_t rows = min(kAmxStrip, row_end - row);
        expand_strip(row, rows, step, steps);
        if (rows > 16)
          run_strip<2>(row, rows, step, steps, sums);
        else
          run_strip<1>(row, rows, step, steps, sums);
      }
    }
  }

  // The strip against every block of the panel, over one slice of k.
  template <int kHalves>
  void run_strip(int64_t row, int64_t rows, int64_t step, int64_t steps, float* sums) {
    const bool first = step == 0, last = step + steps == b_.steps;
    for (int64_t block = 0; block < blocks_; ++block) {
      float* partial = sums + block * kAmxStrip * kAmxBlock;
      if (first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
      } else {
        load_sums<kHalves>(partial);
      }
      multiply<kHalves>(block_at(block, step), steps, first && last ? nullptr : partial + kAmxStrip * kAmxBlock);
      if (last) {
        float* slot = ring_ + (ring_slot_ ^= 1) * kAmxStrip * kAmxBlock;
        store_sums<kHalves>(slot);
        pending_ = {slot, row, rows, col_ + block * kAmxBlock};
      } else {
        store_sums<kHalves>(partial);
      }
    }
  }

  // `steps` steps; between them the pending block is finished, a few rows each, and the next block's sums are fetched into L1.
  template <int kHalves>
  void multiply(const char* w, int64_t steps, const float* next_sums) {
    const int64_t share = (kAmxStrip + steps - 1) / steps;
    const bool finishing = pending_.c != nullptr;
    for (int64_t s = 0; s < steps; ++s) {
      multiply_step<kHalves, Operand::kPlanes>(strip_ + s * kStepBytes, w + s * kStepBytes);
      if (finishing) finish_pending(s * share, share);
      if (next_sums != nullptr)
        for (int64_t r = s * share; r < (s + 1) * share && r < kAmxStrip; ++r) {
          _mm_prefetch(next_sums + r * kAmxBlock, _MM_HINT_T0);
          _mm_prefetch(next_sums + r * kAmxBlock + 16, _MM_HINT_T0);
        }
    }
    pending_.c = nullptr;
  }

  void finish_pending(int64_t from, int64_t count) {
    if (pending_.c == nullptr || from >= pending_.rows) return;
    finish_(p_, args_, pending_.c + from * kAmxBlock, kAmxBlock, pending_.row + from, min(count, pending_.rows - from), pending_.col);
  }

  // Steps [step, step + steps) of rows [row, row + rows) into strip_; zeros below the last row and beyond k.
  void expand_strip(int64_t row, int64_t rows, int64_t step, int64_t steps) {
    const auto* a = static_cast<const uint8_t*>(args_.a);
    const int64_t height = rows > 16 ? 32 : 16, whole = min(steps, p_.k / 32 - step);
    for (int64_t r = 0; r < height; ++r) {
      char* tile = strip_ + r / 16 * kTileBytes + r % 16 * 64;
      const uint8_t* source = a + ((row + r) * p_.k + step * 32) * Operand::kBytes;
      int64_t s = 0;
      if (r < rows) {
        for (; s + 2 <= whole; s += 2) operand_.expand2(source + s * 32 * Operand::kBytes, tile + s * kStepBytes, tile + (s + 1) * kStepBytes);
        for (; s < steps; ++s) operand_.expand(source + s * 32 * Operand::kBytes, p_.k - (step + s) * 32, tile + s * kStepBytes);
      }
      for (; s < steps; ++s)
        for (int plane = 0; plane < Operand::kPlanes; ++plane)
          _mm512_store_si512(tile + s * kStepBytes + plane * 2 * kTileBytes, _mm512_setzero_si512());
    }
  }

  const uint8_t* packed_at(int64_t block, int64_t step) const {
    return static_cast<const uint8_t*>(args_.packed) + ((col_ / kAmxBlock + block) * b_.steps + step) * kPackedStep;
  }
  const char* block_at(int64_t block, int64_t step) const {
    if constexpr (Operand::kDirect) return reinterpret_cast<const char*>(packed_at(block, step));
    return panel_ + (b_.whole_k ? block * b_.steps + step : block * b_.slice_steps) * kStepBytes;
  }
  void widen_panel(int64_t step, int64_t steps) {
    if constexpr (!Operand::kDirect)
      for (int64_t block = 0; block < blocks_; ++block)
        operand_.widen(packed_at(block, step), const_cast<char*>(block_at(block, step)), 2 * steps);
  }

  const GemmProblem& p_;
  const GemmArgs& args_;
  const TileBlocking& b_;
  Operand operand_;
  FinishRows finish_;
  char *strip_, *panel_;
  float *ring_, *sums_;
  int ring_slot_ = 0;
  Pending pending_;
  int64_t col_ = 0, blocks_ = 0;
};

template <class Operand>
void run_with(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  const GemmShare mine = gemm_share(args.m, p.n, kAmxStrip, kAmxBlock, thread, threads);
  if (mine.row_begin >= mine.row_end || mine.col_begin >= mine.col_end) return;
  const TileBlocking blocking = tile_blocking(p, mine.row_end - mine.row_begin, mine.col_end - mine.col_begin);
  const TileConfig config;
  _tile_loadconfig(&config);
  AmxGemm<Operand>(p, args, blocking).run(mine);
  _tile_release();
}

}  // namespace

void run_gemm_e4m3_amx(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_with<E4m3Operand>(p, args, thread, threads);
}
void run_gemm_bf16_amx(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_with<Bf16Operand>(p, args, thread, threads);
}
void run_gemm_f16_amx(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_with<F16Operand>(p, args, thread, threads);
}

}  // namespace octet::cpu
