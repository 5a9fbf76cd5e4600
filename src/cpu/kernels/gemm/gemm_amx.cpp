// GEMM on AMX tiles: bf16 products, f32 sums. E4M3 codes are widened to bf16 on the way (exact); an f16 is split into two bf16 whose
// sum it is (exact), at the price of four products. Operand types: gemm_amx_operands.h. Sizes: gemm_layout.h. Why these loops, with
// the measurements: docs/kernels/gemm.md.
//
// A strip is 32 rows of a, a block 32 columns of w: 2 x 2 tiles of sums, 2 + 2 operand tiles. A panel of w, widened, stays in L2. A
// strip's codes are widened, then multiplied with every block of the panel. Up to k = 2048 a block's sums never leave the tiles; beyond,
// k is cut into slices and the sums of a chunk of rows wait in memory between them. Done blocks are finished (gemm_amx_queue.h) a row at
// a time between the tile steps of the next one. A tiled a (gemm.h) is multiplied where it lies, the next strip asked for ahead; so
// are, when few rows share them, the weights of the next panel.
#include <immintrin.h>

#include "cpu/kernels/gemm/gemm_amx_ahead.h"
#include "cpu/kernels/gemm/gemm_amx_operands.h"
#include "cpu/kernels/gemm/gemm_amx_queue.h"
#include "cpu/kernels/gemm/gemm_rows.h"
#include "cpu/simd/f32x16_avx512.h"
#include "cpu/simd/tile_config_amx.h"

namespace octet::cpu {
namespace {

constexpr int kSumStride = kAmxBlock * 4;  // bytes between rows of a block's sums

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

// Tile from memory: kHot through L1, else from L2 past it (a stream must not push out what is reused).
template <int kTile, bool kHot>
inline void load_tile(const char* p) {
  if constexpr (kTile == 4 && kHot) _tile_loadd(4, p, 64);
  if constexpr (kTile == 5 && kHot) _tile_loadd(5, p, 64);
  if constexpr (kTile == 4 && !kHot) _tile_stream_loadd(4, p, 64);
  if constexpr (kTile == 5 && !kHot) _tile_stream_loadd(5, p, 64);
}
// One step of 32 k.
template <int kHalves, int kPlanes, bool kHot>
inline void multiply_step(const char* a, const char* w) {
  load_tile<4, kHot>(a);
  _tile_stream_loadd(6, w, 64);
  _tile_stream_loadd(7, w + kTileBytes, 64);
  if constexpr (kHalves == 2) load_tile<5, kHot>(a + kTileBytes);
  multiply_pair<kHalves>();
  if constexpr (kPlanes == 2) {  // high * low, low * low, low * high
    _tile_stream_loadd(6, w + 2 * kTileBytes, 64);
    _tile_stream_loadd(7, w + 3 * kTileBytes, 64);
    multiply_pair<kHalves>();
    load_tile<4, kHot>(a + 2 * kTileBytes);
    if constexpr (kHalves == 2) load_tile<5, kHot>(a + 3 * kTileBytes);
    multiply_pair<kHalves>();
    _tile_stream_loadd(6, w, 64);
    _tile_stream_loadd(7, w + kTileBytes, 64);
    multiply_pair<kHalves>();
  }
}

template <class Operand>
class AmxGemm {
 public:
  AmxGemm(const GemmProblem& p, const GemmArgs& args, const GemmShare& mine, const TileBlocking& blocking)
      : p_(p),
        args_(args),
        mine_(mine),
        b_(blocking),
        scratch_(static_cast<char*>(args.scratch)),
        strips_(take(b_.strip_bytes)),
        panel_(take(b_.panel_bytes)),
        sums_(reinterpret_cast<SumBlock*>(take(b_.sum_blocks * sizeof(SumBlock)))),
        nowhere_(take(kTileBytes)),
        queue_(p.tiled_out ? choose_tiled(p) : choose_finish<F32x16>(p, args), finish_args(), b_.steps) {
    for (int64_t i = 0; i < b_.sum_blocks; ++i) sums_[i].rows = 0;
  }

  void run() {
    for (int64_t col = mine_.col_begin; col < mine_.col_end; col += b_.panel_blocks * kAmxBlock) {
      col_ = col;
      blocks_ = blocks_from(col);
      if (b_.whole_k) widen_panel(0, b_.steps);
      ask_for_next_panel();
      for (int64_t row = mine_.row_begin; row < mine_.row_end; row += b_.chunk_rows)
        run_chunk(row, min(mine_.row_end, row + b_.chunk_rows));
    }
    queue_.drain();
  }

 private:
  static constexpr int kStepBytes = 2 * kTileBytes * Operand::kPlanes;              // of a strip or block, widened
  static constexpr int kPackedStep = kAmxBlock * kAmxStep * Operand::kWeightBytes;  // of a block, packed

  static constexpr int64_t kHotSteps = 16 / Operand::kPlanes;
  static constexpr int64_t kFewRows = 512;  // share a panel: its weights, read from memory, then take a tenth of the time

  static int64_t min(int64_t x, int64_t y) { return x < y ? x : y; }
  char* take(size_t bytes) {
    char* part = scratch_;
    scratch_ += bytes;
    return part;
  }
  FinishArgs finish_args() {
    auto* factors = reinterpret_cast<float*>(take(factor_bytes(p_)));
    const float unit = p_.tiled_out ? 1.0f : F32x16::kE4m3Unit;
    return {args_.residual, args_.out, p_.n, fold_factors(p_, args_, mine_.col_begin, mine_.col_end, unit, factors)};
  }

  void run_chunk(int64_t row_begin, int64_t row_end) {
    for (int64_t step = 0; step < b_.steps; step += b_.slice_steps) {
      const int64_t steps = min(b_.slice_steps, b_.steps - step);
      if (!b_.whole_k) widen_panel(step, steps);
      SumBlock* sums = sums_;
      for (int64_t row = row_begin; row < row_end; row += kAmxStrip, sums += blocks_) {
        const int64_t rows = min(kAmxStrip, row_end - row);
        if (p_.tiled_a) {
          strip_ = tiled_at(row, step);
          if (row + kAmxStrip < row_end) ahead_.begin(tiled_at(row + kAmxStrip, step), steps * kStepBytes, blocks_ * steps);
        } else {
          char* strip = strips_ + (b_.keep_strips ? ((row - mine_.row_begin) / kAmxStrip * b_.steps + step) * kStepBytes : 0);
          if (!b_.keep_strips || col_ == mine_.col_begin) expand_strip(row, rows, step, steps, strip);
          strip_ = strip;
        }
        if (rows > 16) run_strip<2>(row, rows, step, steps, sums);
        else run_strip<1>(row, rows, step, steps, sums);
      }
    }
  }

  int64_t blocks_from(int64_t col) const { return min((mine_.col_end - col + kAmxBlock - 1) / kAmxBlock, b_.panel_blocks); }

  // Its packed weights, while this panel is multiplied.
  void ask_for_next_panel() {
    const int64_t rows = mine_.row_end - mine_.row_begin, next = col_ + b_.panel_blocks * kAmxBlock;
    if (!b_.whole_k || rows > kFewRows || next >= mine_.col_end) return;
    const int64_t strips = (rows + kAmxStrip - 1) / kAmxStrip;
    weights_ahead_.begin(packed_at(b_.panel_blocks, 0), blocks_from(next) * b_.steps * kPackedStep, strips * blocks_ * b_.steps);
  }

  const char* tiled_at(int64_t row, int64_t step) const {
    return static_cast<const char*>(args_.a) + (row / kAmxStrip * b_.steps + step) * kStepBytes;
  }

  // The strip against every block of the panel, over one slice of k.
  template <int kHalves>
  void run_strip(int64_t row, int64_t rows, int64_t step, int64_t steps, SumBlock* sums) {
    const bool first = step == 0, last = step + steps == b_.steps;
    for (int64_t block = 0; block < blocks_; ++block, ++sums) {
      if (b_.whole_k) sums = sums_ + (ring_ ^= 1);  // finished within the next block
      if (first) {
        queue_.release(*sums);
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
      } else {
        load_sums<kHalves>(sums->sums);
      }
      multiply<kHalves>(block_at(block, step), steps, b_.whole_k ? nullptr : sums[1].sums);
      store_sums<kHalves>(sums->sums);
      if (last) queue_.push(*sums, row, rows, col_ + block * kAmxBlock);
    }
  }

  // `steps` steps: the strip's first 32 KiB stay in L1 for the next block, the rest streams.
  template <int kHalves>
  void multiply(const char* w, int64_t steps, const float* next_sums) {
    const int64_t hot = min(steps, kHotSteps);
    run_steps<kHalves, true>(w, 0, hot);
    run_steps<kHalves, false>(w, hot, steps);
    for (int64_t i = 0; next_sums != nullptr && i < kAmxStrip * kAmxBlock; i += 16) _mm_prefetch(next_sums + i, _MM_HINT_T0);
  }
  // Between steps the queue's rows are finished. A tile store more than about 0.7 us after the one before costs 0.3 us (Sapphire
  // Rapids; see docs/kernels/gemm.md), so one is made every few steps, to nowhere.
  template <int kHalves, bool kHot>
  void run_steps(const char* w, int64_t from, int64_t to) {
    constexpr int64_t kAwake = 8 / (Operand::kPlanes * Operand::kPlanes);
    for (int64_t s = from; s < to; ++s) {
      multiply_step<kHalves, Operand::kPlanes, kHot>(strip_ + s * kStepBytes, w + s * kStepBytes);
      if (s % kAwake == kAwake - 1) _tile_stored(4, nowhere_, 64);
      ahead_.step();
      weights_ahead_.step();
      queue_.step();
    }
  }

  // Steps [step, step + steps) of rows [row, row + rows) into `strip`; zeros below the last row and beyond k.
  __attribute__((noinline)) void expand_strip(int64_t row, int64_t rows, int64_t step, int64_t steps, char* strip) {
    const auto* a = static_cast<const uint8_t*>(args_.a);
    const int64_t height = rows > 16 ? 32 : 16, whole = min(steps, p_.k / kAmxStep - step);
    for (int64_t r = 0; r < height; ++r) {
      char* tile = strip + r / 16 * kTileBytes + r % 16 * 64;
      const uint8_t* source = a + ((row + r) * p_.k + step * kAmxStep) * Operand::kBytes;
      int64_t s = 0;
      if (r < rows) {
        for (; s + 2 <= whole; s += 2)
          operand_.expand2(source + s * kAmxStep * Operand::kBytes, tile + s * kStepBytes, tile + (s + 1) * kStepBytes);
        for (; s < steps; ++s)
          operand_.expand(source + s * kAmxStep * Operand::kBytes, p_.k - (step + s) * kAmxStep, tile + s * kStepBytes);
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
  __attribute__((noinline)) void widen_panel(int64_t step, int64_t steps) {
    if constexpr (!Operand::kDirect)
      for (int64_t block = 0; block < blocks_; ++block)
        operand_.widen(packed_at(block, step), const_cast<char*>(block_at(block, step)), 2 * steps);
  }

  const GemmProblem& p_;
  const GemmArgs& args_;
  const GemmShare& mine_;
  const TileBlocking& b_;
  Operand operand_;
  char* scratch_;
  char* strips_;
  const char* strip_ = nullptr;
  char* panel_;
  SumBlock* sums_;
  char* nowhere_;
  FinishQueue queue_;
  Ahead ahead_, weights_ahead_;
  int ring_ = 0;
  int64_t col_ = 0, blocks_ = 0;
};

template <class Operand>
void run_with(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  const GemmShare mine = gemm_share(args.m, p.n, kAmxStrip, kAmxBlock, thread, threads);
  if (mine.row_begin >= mine.row_end || mine.col_begin >= mine.col_end) return;
  const TileBlocking blocking = tile_blocking(p, mine.row_end - mine.row_begin, mine.col_end - mine.col_begin);
  _tile_loadconfig(&kTileConfig);
  AmxGemm<Operand>(p, args, mine, blocking).run();
  _tile_release();
}

}  // namespace

void run_gemm_e4m3_amx(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_with<E4m3Operand>(p, args, thread, threads);
}
void run_gemm_e4m3_by_bf16_amx(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_with<E4m3ByBf16Operand>(p, args, thread, threads);
}
void run_gemm_bf16_amx(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_with<Bf16Operand>(p, args, thread, threads);
}
void run_gemm_f16_amx(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  run_with<F16Operand>(p, args, thread, threads);
}

}  // namespace octet::cpu
