// Attention on AMX tiles, for e4m3, bf16 and f16. Per (picture, head): K^T and V are widened once to bf16 tiles; then, 16 query rows at
// a time, scores = Q K^T as whole rows in L1, softmax in place, weights to bf16 in place, out = P V. While the vector units work on
// the softmax of one block, the tiles work on P V of the block before it and Q K^T of the block after it, a few products at a time.
// e4m3 and bf16 are exact in bf16. An f16 is the exact sum of two bf16 (planes): its products are the four products of planes. Weights
// that are not quantized are two planes too (16 bits of p), less low * low there, below 2^-14 of the product; bf16 rounds them to bf16.
// Next: attention_tiles.h (layout and packing), attention_softmax_inl.h.
#include "cpu/kernels/attention/attention_softmax_inl.h"
#include "cpu/kernels/attention/attention_tiles.h"

namespace octet::cpu {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfig kTileConfig;  // in memory for good: the intrinsic tells the compiler of its first 8 bytes only

// A matrix as tiles: tile (i, step) of a plane at base + plane * plane_bytes + i * tile_bytes + step * step_bytes.
struct TileMatrix {
  const char* base;
  int64_t plane_bytes, tile_bytes, step_bytes, row_bytes;
  const char* at(int plane, int64_t tile, int64_t step) const { return base + plane * plane_bytes + tile * tile_bytes + step * step_bytes; }
};

// Sums: tiles 0 .. 3. Left planes: 4, 5. Right planes: 6, 7; one plane alternates between them.
template <int kCols>
inline void zero_sums() {
  _tile_zero(0);
  if constexpr (kCols > 1) _tile_zero(1);
  if constexpr (kCols > 2) _tile_zero(2);
  if constexpr (kCols > 3) _tile_zero(3);
}
template <int kCols>
inline void store_sums(float* c, int64_t stride_bytes) {
  _tile_stored(0, c, stride_bytes);
  if constexpr (kCols > 1) _tile_stored(1, c + 16, stride_bytes);
  if constexpr (kCols > 2) _tile_stored(2, c + 32, stride_bytes);
  if constexpr (kCols > 3) _tile_stored(3, c + 48, stride_bytes);
}
// Column i of a step: its right planes times the left ones. The intrinsics want literal tile numbers.
#define OCTET_MULTIPLY_COLUMN(i, right)                                   \
  if constexpr (kCols > i) {                                              \
    _tile_stream_loadd(right, b.at(0, column + i, step), 64);             \
    _tile_dpbf16ps(i, 4, right);                                          \
    if constexpr (kLeftPlanes == 2) _tile_dpbf16ps(i, 5, right);          \
    if constexpr (kRightPlanes == 2) {                                    \
      _tile_stream_loadd(7, b.at(1, column + i, step), 64);               \
      _tile_dpbf16ps(i, 4, 7);                                            \
      if constexpr (kLeftPlanes == 2 && kLowLow) _tile_dpbf16ps(i, 5, 7); \
    }                                                                     \
  }
template <int kLeftPlanes, int kRightPlanes, bool kLowLow, int kCols>
inline void multiply_step(const TileMatrix& a, const TileMatrix& b, int64_t column, int64_t step) {
  __asm__ volatile("" ::: "memory");  // the load intrinsics do not tell the compiler that they read memory
  _tile_loadd(4, a.at(0, 0, step), a.row_bytes);
  if constexpr (kLeftPlanes == 2) _tile_loadd(5, a.at(1, 0, step), a.row_bytes);
  if constexpr (kRightPlanes == 1) {
    OCTET_MULTIPLY_COLUMN(0, 6)
    OCTET_MULTIPLY_COLUMN(1, 7)
    OCTET_MULTIPLY_COLUMN(2, 6)
    OCTET_MULTIPLY_COLUMN(3, 7)
  } else {
    OCTET_MULTIPLY_COLUMN(0, 6)
    OCTET_MULTIPLY_COLUMN(1, 6)
    OCTET_MULTIPLY_COLUMN(2, 6)
    OCTET_MULTIPLY_COLUMN(3, 6)
  }
}
#undef OCTET_MULTIPLY_COLUMN

// c[16 rows][16 * columns] = a * b over `steps` steps of 32, in units small enough to be slipped between other work.
template <int kLeftPlanes, int kRightPlanes, bool kLowLow>
class TileProduct {
 public:
  // steps_a_unit: how many steps one unit takes; a whole group of four columns at least once.
  TileProduct(const TileMatrix& a, const TileMatrix& b, int64_t columns, int64_t steps, float* c, int64_t c_stride)
      : a_(a), b_(b), columns_(columns), steps_(steps), c_(c), c_stride_(c_stride) {}
  int64_t units() const { return ceil_div(columns_, 4) * steps_; }
  void unit() {
    switch (at_most(4, columns_ - column_)) {
      case 4:
        return unit_of<4>();
      case 3:
        return unit_of<3>();
      case 2:
        return unit_of<2>();
      default:
        return unit_of<1>();
    }
  }

 private:
  template <int kCols>
  void unit_of() {
    if (step_ == 0) zero_sums<kCols>();
    multiply_step<kLeftPlanes, kRightPlanes, kLowLow, kCols>(a_, b_, column_, step_);
    if (++step_ < steps_) return;
    store_sums<kCols>(c_ + column_ * 16, c_stride_ * 4);
    step_ = 0;
    column_ += 4;
  }
  TileMatrix a_, b_;
  int64_t columns_, steps_, column_ = 0, step_ = 0;
  float* c_;
  int64_t c_stride_;
};

template <class Operand, bool kQuantized>
class AmxAttention {
 public:
  AmxAttention(const AttentionProblem& p, const AttentionArgs& a) : p_(p), a_(a), l_(tile_layout(p)), scales_(scales_of(a)) {
    scratch_ = static_cast<char*>(a.scratch);
  }

  // Blocks [begin, end): head by head, each through the pipeline score -> weigh -> combine.
  void run(int64_t begin, int64_t end) {
    const int64_t blocks = ceil_div(p_.tokens, kTileRows);
    for (int64_t index = begin; index < end;) {
      const int64_t item = index / blocks, stop = at_most(end, (item + 1) * blocks);
      pack_head(item);
      run_head(index, stop);
      index = stop;
    }
  }

 private:
  static constexpr int kWeightPlanes = kQuantized || Operand::kPlainWeights ? 1 : 2;
  using Scores = TileProduct<Operand::kPlanes, Operand::kPlanes, true>;
  using Values = TileProduct<kWeightPlanes, Operand::kPlanes, false>;

  // Both products of one stage; advance() runs their units up to a share of the stage's softmax.
  struct Stage {
    Values values;
    Scores scores;
    int64_t value_units, units, done = 0, progress = 0, total;
    void advance(int64_t weight) {
      progress += weight;
      for (const int64_t target = units * progress / total; done < target; ++done)
        if (done < value_units) values.unit();
        else scores.unit();
    }
  };
  // What one row costs in each pass of the softmax, relative to the first.
  static constexpr int64_t kMaxWeight = 1, kExpWeight = 5, kPackWeight = 3;

  void run_head(int64_t begin, int64_t end) {
    QueryBlock before{}, block = block_at(p_, begin, kTileRows);
    load_queries(block);
    Scores first = score(block, begin);
    for (int64_t n = first.units(); n > 0; --n) first.unit();
    for (int64_t index = begin; index < end; ++index) {
      QueryBlock after{};
      if (index + 1 < end) load_queries(after = block_at(p_, index + 1, kTileRows));
      Stage stage{combine(before, index - 1), score(after, index + 1), 0, 0, 0, 0, block.rows * (kMaxWeight + kExpWeight + kPackWeight)};
      stage.value_units = before.rows > 0 ? stage.values.units() : 0;
      stage.units = stage.value_units + (after.rows > 0 ? stage.scores.units() : 0);
      weigh(block, index, stage);
      finish(before, index - 1);
      before = block;
      block = after;
    }
    Values last = combine(before, end - 1);
    for (int64_t n = last.units(); n > 0; --n) last.unit();
    finish(before, end - 1);
  }

  const uint8_t* row_at(const void* base, int64_t stride, int64_t item, int64_t token) const {
    return static_cast<const uint8_t*>(base) + source_index(p_, item, token, stride) * Operand::kBytes;
  }
  float* scores_at(int64_t index) const { return reinterpret_cast<float*>(scratch_ + l_.s + (index & 1) * l_.s_block); }
  float* sums() const { return reinterpret_cast<float*>(scratch_ + l_.o); }

  void pack_head(int64_t item) {
    const uint8_t *k = row_at(a_.k, a_.k_stride, item, 0), *v = row_at(a_.v, a_.v_stride, item, 0);
    pack_keys(operand_, l_, p_, k, a_.k_stride * Operand::kBytes, scratch_ + l_.k);
    pack_values(operand_, l_, p_, v, a_.v_stride * Operand::kBytes, scratch_ + l_.v);
  }

  Scores score(const QueryBlock& block, int64_t index) const {
    const TileMatrix q{scratch_ + l_.q, l_.q_plane, 0, kTileBytes, 64};
    const TileMatrix k{scratch_ + l_.k, l_.k_plane, l_.dim_steps * kTileBytes, kTileBytes, 64};
    return {q, k, ceil_div(block.keys, 16), l_.dim_steps, scores_at(index), l_.s_stride};
  }
  Values combine(const QueryBlock& block, int64_t index) const {
    const TileMatrix weights{reinterpret_cast<char*>(scores_at(index)), 64, 0, 64 * kWeightPlanes, l_.s_stride * 4};
    const TileMatrix v{scratch_ + l_.v, l_.v_plane, l_.token_steps * kTileBytes, kTileBytes, 64};
    return {weights, v, ceil_div(p_.head_dim, 16), ceil_div(block.keys, 32), sums(), l_.o_stride};
  }

  void load_queries(const QueryBlock& block) {
    const __m512i flip = _mm512_set1_epi16(static_cast<short>(scales_.negate ? 0x8000 : 0));
    for (int64_t r = 0; r < kTileRows; ++r) {
      const uint8_t* q = row_at(a_.q, a_.q_stride, block.item, block.row + r);
      for (int64_t step = 0; step < l_.dim_steps; ++step) {
        char* to = scratch_ + l_.q + step * kTileBytes + r * 64;
        Planes x = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        if (r < block.rows) x = operand_.load(q + step * 32 * Operand::kBytes, p_.head_dim - step * 32);
        _mm512_store_si512(to, _mm512_xor_si512(x.high, flip));
        if constexpr (Operand::kPlanes == 2) _mm512_store_si512(to + l_.q_plane, _mm512_xor_si512(x.low, flip));
      }
    }
  }

  // Softmax of a block's scores, and its weights as bf16 in place; the passes go over all rows, which overlap then.
  void weigh(const QueryBlock& block, int64_t index, Stage& stage) {
    float* s = scores_at(index);
    const int64_t steps = ceil_div(block.keys, 32);
    alignas(64) float row[kTileRows] = {};
    for (int64_t i = 0; i < block.rows; ++i) {
      row[i] = largest_of(s + i * l_.s_stride, visible(p_, block, i));
      stage.advance(kMaxWeight);
    }
    for (int64_t i = 0; i < block.rows; ++i) {
      row[i] = exponentiate(s + i * l_.s_stride, visible(p_, block, i), steps * 32, row[i], scales_.exponent);
      stage.advance(kExpWeight);
    }
    const float scale = kQuantized ? 1.0f / a_.p_scale : a_.v_scale * a_.inv_out_scale;
    const __m512 inverse = _mm512_div_ps(_mm512_set1_ps(scale), _mm512_load_ps(row));
    _mm512_store_ps(row, inverse);
    _mm512_store_ps(factors_[index & 1], kQuantized ? _mm512_set1_ps(a_.v_scale * a_.inv_out_scale * a_.p_scale) : inverse);
    for (int64_t i = 0; i < block.rows; ++i) {
      pack_weights(s + i * l_.s_stride, steps, row[i]);
      stage.advance(kPackWeight);
    }
  }

  // One row of weights to bf16, never ahead of what is still to be read.
  void pack_weights(float* s, int64_t steps, float scale) {
    auto* to = reinterpret_cast<char*>(s);
    const F32x16 factor = F32x16::set(scale);
    for (int64_t i = 0; i < steps; ++i) {
      if constexpr (kQuantized) {  // exact in bf16: the upper halves of both, interleaved; pack_values() has that order
        const F32x16 x = nearest_e4m3(F32x16::load(s + i * 32) * factor), y = nearest_e4m3(F32x16::load(s + i * 32 + 16) * factor);
        _mm512_store_si512(to + i * 64, _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(x.v), 16), _mm512_castps_si512(y.v)));
      } else {
        const __m512 x = _mm512_load_ps(s + i * 32), y = _mm512_load_ps(s + i * 32 + 16);
        if constexpr (Operand::kPlainWeights) {
          _mm512_store_si512(to + i * 64, (__m512i)_mm512_cvtne2ps_pbh(y, x));
        } else {
          const Planes planes = split_planes(x, y);
          _mm512_store_si512(to + i * 128, planes.high);
          _mm512_store_si512(to + i * 128 + 64, planes.low);
        }
      }
    }
  }

  void finish(const QueryBlock& block, int64_t index) {
    for (int64_t i = 0; i < block.rows; ++i)
      finish_row(p_, sums() + i * l_.o_stride, factors_[index & 1][i], a_.out, target_index(p_, block.item, block.row + i));
  }

  const AttentionProblem& p_;
  const AttentionArgs& a_;
  TileLayout l_;
  Scales scales_;
  Operand operand_;
  char* scratch_;
  alignas(64) float factors_[2][kTileRows];
};

template <class Operand>
void run_with(const AttentionProblem& p, const AttentionArgs& a, int thread, int threads) {
  const Range mine = share(block_count(p, a, kTileRows), thread, threads);
  if (mine.begin >= mine.end) return;
  _tile_loadconfig(&kTileConfig);
  if (p.quantize_p) AmxAttention<Operand, true>(p, a).run(mine.begin, mine.end);
  else AmxAttention<Operand, false>(p, a).run(mine.begin, mine.end);
  _tile_release();
}

}  // namespace

size_t attention_scratch_amx(const AttentionProblem& p) { return static_cast<size_t>(tile_layout(p).total); }

void run_attention_amx(const AttentionProblem& p, const AttentionArgs& a, int thread, int threads) {
  if (p.in == DType::e4m3) return run_with<E4m3Rows>(p, a, thread, threads);
  if (p.in == DType::bf16) return run_with<Bf16Rows>(p, a, thread, threads);
  run_with<F16Rows>(p, a, thread, threads);
}

}  // namespace octet::cpu
