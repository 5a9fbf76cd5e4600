// Attention on AMX tiles, for e4m3, bf16 and f16. Per (picture, head): K^T and V are widened once to bf16 tiles; then, 32 query rows at
// a time, scores = Q K^T as whole rows in L1, softmax in place, weights to bf16 in place, out = P V. e4m3 and bf16 are exact in bf16.
// An f16 is the exact sum of two bf16 (planes): its products are the four products of planes. Weights that are not quantized are
// two planes too (16 bits of p), and low * low is left out there: it is below 2^-14 of the product; bf16 rounds them to bf16.
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

// A matrix as tiles: tile (i, step) of a plane at base + plane * plane_bytes + i * tile_bytes + step * step_bytes.
struct TileMatrix {
  const char* base;
  int64_t plane_bytes, tile_bytes, step_bytes, row_bytes;
  const char* at(int plane, int64_t tile, int64_t step) const { return base + plane * plane_bytes + tile * tile_bytes + step * step_bytes; }
};
struct PlanePair {
  int left, right;
};

// c[kRows tiles][kCols tiles] = a[i] * b[j] summed over the steps and pairs of planes.
template <int kRows, int kCols>
inline void multiply_tiles(const TileMatrix& a, const TileMatrix& b, int64_t column, int64_t steps, const PlanePair* pairs, int pair_count,
                           float* c, int64_t c_stride) {
  _tile_zero(0);
  if constexpr (kCols == 2) _tile_zero(1);
  if constexpr (kRows == 2) _tile_zero(2);
  if constexpr (kRows == 2 && kCols == 2) _tile_zero(3);
  for (int64_t step = 0; step < steps; ++step)
    for (int i = 0; i < pair_count; ++i) {
      _tile_loadd(4, a.at(pairs[i].left, 0, step), a.row_bytes);
      _tile_loadd(6, b.at(pairs[i].right, column, step), b.row_bytes);
      if constexpr (kCols == 2) _tile_loadd(7, b.at(pairs[i].right, column + 1, step), b.row_bytes);
      if constexpr (kRows == 2) _tile_loadd(5, a.at(pairs[i].left, 1, step), a.row_bytes);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (kCols == 2) _tile_dpbf16ps(1, 4, 7);
      if constexpr (kRows == 2) _tile_dpbf16ps(2, 5, 6);
      if constexpr (kRows == 2 && kCols == 2) _tile_dpbf16ps(3, 5, 7);
    }
  _tile_stored(0, c, c_stride * 4);
  if constexpr (kCols == 2) _tile_stored(1, c + 16, c_stride * 4);
  if constexpr (kRows == 2) _tile_stored(2, c + 16 * c_stride, c_stride * 4);
  if constexpr (kRows == 2 && kCols == 2) _tile_stored(3, c + 16 * c_stride + 16, c_stride * 4);
}

// All `columns` tile columns, two at a time.
template <int kRows>
inline void multiply_columns(const TileMatrix& a, const TileMatrix& b, int64_t columns, int64_t steps, const PlanePair* pairs,
                             int pair_count, float* c, int64_t c_stride) {
  int64_t n = 0;
  for (; n + 2 <= columns; n += 2) multiply_tiles<kRows, 2>(a, b, n, steps, pairs, pair_count, c + n * 16, c_stride);
  if (n < columns) multiply_tiles<kRows, 1>(a, b, n, steps, pairs, pair_count, c + n * 16, c_stride);
}

constexpr PlanePair kScorePairs[] = {{0, 0}, {0, 1}, {1, 1}, {1, 0}};
constexpr PlanePair kWeightPairs[2][2][3] = {{{{0, 0}}, {{0, 0}, {0, 1}}}, {{{0, 0}, {1, 0}}, {{0, 0}, {0, 1}, {1, 0}}}};
constexpr int kWeightPairCount[2][2] = {{1, 2}, {2, 3}};

template <class Operand>
class AmxAttention {
 public:
  AmxAttention(const AttentionProblem& p, const AttentionArgs& a) : p_(p), a_(a), l_(tile_layout(p)), scales_(scales_of(a)) {
    scratch_ = static_cast<char*>(a.scratch);
  }

  void run(int64_t begin, int64_t end) {
    int64_t packed = -1;
    for (int64_t index = begin; index < end; ++index) {
      const QueryBlock block = block_at(p_, index);
      if (block.item != packed) pack_head(block.item);
      packed = block.item;
      if (block.rows > 16) attend<2>(block);
      else attend<1>(block);
    }
  }

 private:
  const uint8_t* row_at(const void* base, int64_t stride, int64_t item, int64_t token) const {
    return static_cast<const uint8_t*>(base) + source_index(p_, item, token, stride) * Operand::kBytes;
  }

  void pack_head(int64_t item) {
    const uint8_t *k = row_at(a_.k, a_.k_stride, item, 0), *v = row_at(a_.v, a_.v_stride, item, 0);
    pack_keys(operand_, l_, p_, k, a_.k_stride * Operand::kBytes, scratch_ + l_.k);
    pack_values(operand_, l_, p_, v, a_.v_stride * Operand::kBytes, scratch_ + l_.v);
  }

  template <int kRows>
  void attend(const QueryBlock& block) {
    auto* s = reinterpret_cast<float*>(scratch_ + l_.s);
    auto* o = reinterpret_cast<float*>(scratch_ + l_.o);
    const int64_t steps = ceil_div(block.keys, 32);
    load_queries(block, kRows * 16);
    const TileMatrix q{scratch_ + l_.q, l_.q_plane, l_.dim_steps * kTileBytes, kTileBytes, 64};
    const TileMatrix k{scratch_ + l_.k, l_.k_plane, l_.dim_steps * kTileBytes, kTileBytes, 64};
    multiply_columns<kRows>(q, k, ceil_div(block.keys, 16), l_.dim_steps, kScorePairs, Operand::kPlanes == 2 ? 4 : 1, s, l_.s_stride);

    float finish[kQueryBlock];
    for (int64_t i = 0; i < block.rows; ++i) finish[i] = weigh(s + i * l_.s_stride, visible(p_, block, i), steps);

    const int planes = p_.quantize_p || Operand::kPlainWeights ? 1 : 2;
    const TileMatrix weights{scratch_ + l_.s, 64, l_.s_stride * 64, 64 * planes, l_.s_stride * 4};
    const TileMatrix v{scratch_ + l_.v, l_.v_plane, l_.token_steps * kTileBytes, kTileBytes, 64};
    multiply_columns<kRows>(weights, v, ceil_div(p_.head_dim, 16), steps, kWeightPairs[planes - 1][Operand::kPlanes - 1],
                            kWeightPairCount[planes - 1][Operand::kPlanes - 1], o, l_.o_stride);
    for (int64_t i = 0; i < block.rows; ++i)
      finish_row(p_, o + i * l_.o_stride, finish[i], a_.out, target_index(p_, block.item, block.row + i));
  }

  void load_queries(const QueryBlock& block, int64_t height) {
    const __m512i flip = _mm512_set1_epi16(static_cast<short>(scales_.negate ? 0x8000 : 0));
    for (int64_t r = 0; r < height; ++r) {
      const uint8_t* q = row_at(a_.q, a_.q_stride, block.item, block.row + r);
      for (int64_t step = 0; step < l_.dim_steps; ++step) {
        char* to = scratch_ + l_.q + ((r / 16) * l_.dim_steps + step) * kTileBytes + r % 16 * 64;
        Planes x = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        if (r < block.rows) x = operand_.load(q + step * 32 * Operand::kBytes, p_.head_dim - step * 32);
        _mm512_store_si512(to, _mm512_xor_si512(x.high, flip));
        if constexpr (Operand::kPlanes == 2) _mm512_store_si512(to + l_.q_plane, _mm512_xor_si512(x.low, flip));
      }
    }
  }

  // One row of scores to weights, bf16 in place (never ahead of what is still to be read). Returns the row's last factor.
  float weigh(float* s, int64_t valid, int64_t steps) {
    const float sum = exponentiate_row(s, valid, steps * 32, scales_.exponent), last = a_.v_scale * a_.inv_out_scale;
    auto* to = reinterpret_cast<char*>(s);
    if (p_.quantize_p) {
      const F32x16 factor = F32x16::set(1.0f / a_.p_scale / sum);
      for (int64_t i = 0; i < steps; ++i) {
        const F32x16 x = round_to_e4m3(F32x16::load(s + i * 32) * factor), y = round_to_e4m3(F32x16::load(s + i * 32 + 16) * factor);
        _mm512_store_si512(to + i * 64, (__m512i)_mm512_cvtne2ps_pbh(y.v, x.v));
      }
      return last * a_.p_scale;
    }
    for (int64_t i = 0; i < steps; ++i) {
      const __m512 x = _mm512_load_ps(s + i * 32), y = _mm512_load_ps(s + i * 32 + 16);
      if constexpr (Operand::kPlainWeights) {
        _mm512_store_si512(to + i * 64, (__m512i)_mm512_cvtne2ps_pbh(y, x));
      } else {
        const Planes planes = split_planes(x, y);
        _mm512_store_si512(to + i * 128, planes.high);
        _mm512_store_si512(to + i * 128 + 64, planes.low);
      }
    }
    return last / sum;
  }

  const AttentionProblem& p_;
  const AttentionArgs& a_;
  TileLayout l_;
  Scales scales_;
  Operand operand_;
  char* scratch_;
};

template <class Operand>
void run_with(const AttentionProblem& p, const AttentionArgs& a, int thread, int threads) {
  const Range mine = share(block_count(p, a), thread, threads);
  if (mine.begin >= mine.end) return;
  const TileConfig config;
  _tile_loadconfig(&config);
  AmxAttention<Operand>(p, a).run(mine.begin, mine.end);
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
