// Attention on AMX tiles, for e4m3, bf16 and f16. Per (picture, head): K^T and V are widened once to bf16 tiles; then, for a chunk of
// query rows that L2 holds (a whole head of a ViT), scores = Q K^T as whole rows, softmax in place, weights to bf16 in place, out = P V.
// The three phases are long on purpose: while tiles are busy, 512-bit FMAs run at half speed, and tiles left idle for a microsecond take
// as long to wake (measured); slipping tile products between the rows of the softmax lost a quarter of the speed.
// e4m3 and bf16 are exact in bf16. An f16 is the exact sum of two bf16 (planes): its products are the four products of planes. Weights
// that are not quantized are two planes too (16 bits of p), less low * low there, below 2^-14 of the product; bf16 rounds them to bf16.
// Next: attention_products_amx.h, attention_tiles.h (layout and packing), attention_softmax_inl.h.
#include "cpu/kernels/attention/attention_products_amx.h"
#include "cpu/kernels/attention/attention_softmax_inl.h"

namespace octet::cpu {
namespace {

template <class Operand, bool kQuantized>
class AmxAttention {
 public:
  AmxAttention(const AttentionProblem& p, const AttentionArgs& a) : p_(p), a_(a), l_(tile_layout(p)), scales_(scales_of(a)) {
    scratch_ = static_cast<char*>(a.scratch);
  }

  // Blocks [begin, end) of kTileRows query rows, head by head, each in chunks.
  void run(int64_t begin, int64_t end) {
    const int64_t blocks = ceil_div(p_.tokens, kTileRows);
    int64_t packed = -1;
    for (int64_t index = begin; index < end;) {
      const int64_t item = index / blocks, stop = at_most(at_most(end, (item + 1) * blocks), index + l_.chunk / kTileRows);
      if (item != packed) pack_head(item);
      packed = item;
      attend(index, stop);
      index = stop;
    }
  }

 private:
  static constexpr int kWeightPlanes = kQuantized || Operand::kPlainWeights ? 1 : 2;

  const uint8_t* row_at(const void* base, int64_t stride, int64_t item, int64_t token) const {
    return static_cast<const uint8_t*>(base) + source_index(p_, item, token, stride) * Operand::kBytes;
  }
  float* scores_at(int64_t row) const { return reinterpret_cast<float*>(scratch_ + l_.s) + row * l_.s_stride; }
  float* mask() const { return reinterpret_cast<float*>(scratch_ + l_.mask); }
  float* sums_at(int64_t row) const { return reinterpret_cast<float*>(scratch_ + l_.o) + row * l_.o_stride; }

  void pack_head(int64_t item) {
    const uint8_t *k = row_at(a_.k, a_.k_stride, item, 0), *v = row_at(a_.v, a_.v_stride, item, 0);
    pack_keys(operand_, l_, p_, k, a_.k_stride * Operand::kBytes, scratch_ + l_.k);
    pack_values(operand_, l_, p_, v, a_.v_stride * Operand::kBytes, scratch_ + l_.v);
    if (p_.mask != Mask::kNone) load_mask(p_, a_, item, mask());
  }

  void attend(int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) load_queries(block_at(p_, index, kTileRows), (index - begin) * kTileRows);
    for (int64_t index = begin; index < end; ++index) score(block_at(p_, index, kTileRows), (index - begin) * kTileRows);
    for (int64_t index = begin; index < end; ++index) weigh(block_at(p_, index, kTileRows), (index - begin) * kTileRows);
    for (int64_t index = begin; index < end; ++index) combine(block_at(p_, index, kTileRows), (index - begin) * kTileRows);
    for (int64_t index = begin; index < end; ++index) finish(block_at(p_, index, kTileRows), (index - begin) * kTileRows);
  }

  void load_queries(const QueryBlock& block, int64_t at) {
    const __m512i flip = _mm512_set1_epi16(static_cast<short>(scales_.negate ? 0x8000 : 0));
    const uint8_t* q = row_at(a_.q, a_.q_stride, block.item, block.row);
    for (int64_t r = 0; r < kTileRows; ++r, q += a_.q_stride * Operand::kBytes) {
      for (int64_t step = 0; step < l_.dim_steps; ++step) {
        char* to = scratch_ + l_.q + ((at + r) / 16 * l_.dim_steps + step) * kTileBytes + r % 16 * 64;
        Planes x = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        if (r < block.rows) x = operand_.load(q + step * 32 * Operand::kBytes, p_.head_dim - step * 32);
        _mm512_store_si512(to, _mm512_xor_si512(x.high, flip));
        if constexpr (Operand::kPlanes == 2) _mm512_store_si512(to + l_.q_plane, _mm512_xor_si512(x.low, flip));
      }
    }
  }

  void score(const QueryBlock& block, int64_t at) {
    const int64_t row_bytes = l_.dim_steps * kTileBytes, columns = ceil_div(block.keys, 16);
    const TileMatrix q{scratch_ + l_.q + at / 16 * row_bytes, l_.q_plane, row_bytes, kTileBytes, 64};
    const TileMatrix k{scratch_ + l_.k, l_.k_plane, row_bytes, kTileBytes, 64};
    finish_stores();
    for (int64_t n = 0; n < columns; n += 2) {
      multiply_even_column<Operand::kPlanes>(q, k, n, l_.dim_steps, scores_at(at), l_.s_stride * 4);
      if (n + 1 < columns) multiply_odd_column<Operand::kPlanes>(q, k, n + 1, l_.dim_steps, scores_at(at), l_.s_stride * 4);
    }
  }

  void combine(const QueryBlock& block, int64_t at) {
    const int64_t steps = ceil_div(block.keys, 32), columns = ceil_div(p_.head_dim, 16), bytes = l_.o_stride * 4;
    const TileMatrix weights{reinterpret_cast<char*>(scores_at(at)), 64, l_.s_stride * 64, 64 * kWeightPlanes, l_.s_stride * 4};
    const TileMatrix v{scratch_ + l_.v, l_.v_plane, l_.token_steps * kTileBytes, kTileBytes, 64};
    finish_stores();
    int64_t n = 0;
    for (; n + 2 <= columns; n += 2) multiply_columns<kWeightPlanes, Operand::kPlanes, 2>(weights, v, n, steps, sums_at(at), bytes);
    if (n < columns) multiply_columns<kWeightPlanes, Operand::kPlanes, 1>(weights, v, n, steps, sums_at(at), bytes);
  }

  // Softmax of a block's scores, and its weights as bf16 in place. The passes go over all rows of half a block (in L1), so that rows
  // overlap in the pipeline. A row's last factor stays behind its weights, in the spare line of its scores.
  void weigh(const QueryBlock& block, int64_t at) {
    for (int64_t half = 0; half < block.rows; half += 16) {
      const int64_t rows = at_most(16, block.rows - half), steps = ceil_div(block.keys, 32);
      float* s = scores_at(at + half);
      alignas(64) float row[16] = {};
      for (int64_t i = 0; p_.mask != Mask::kNone && i < rows; ++i) add_mask(s + i * l_.s_stride, mask(), visible(p_, block, half + i));
      for (int64_t i = 0; i < rows; ++i) row[i] = largest_of(s + i * l_.s_stride, visible(p_, block, half + i));
      for (int64_t i = 0; i < rows; ++i) {
        prefetch_token(p_, a_, block.item + 1, block.row + half + i);
        row[i] = exponentiate(s + i * l_.s_stride, visible(p_, block, half + i), steps * 32, row[i], scales_.exponent);
      }
      const float last = a_.v_scale * a_.inv_out_scale;
      const __m512 inverse = _mm512_div_ps(_mm512_set1_ps(kQuantized ? 1.0f / a_.p_scale : last), _mm512_load_ps(row));
      _mm512_store_ps(row, inverse);
      for (int64_t i = 0; i < rows; ++i) {
        pack_weights(s + i * l_.s_stride, steps, row[i]);
        s[i * l_.s_stride + l_.s_stride - 1] = kQuantized ? last * a_.p_scale : row[i];
      }
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

  void finish(const QueryBlock& block, int64_t at) {
    for (int64_t i = at; i < at + block.rows; ++i)
      finish_row(p_, sums_at(i), scores_at(i)[l_.s_stride - 1], a_.out, target_index(p_, block.item, block.row + i - at));
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
