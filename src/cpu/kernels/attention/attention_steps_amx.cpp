// The two products of unfused attention on AMX tiles, packed and multiplied as attention_amx.cpp does; rows of scores and weights go to
// and come from memory in their own type. Both planes of an f16 weight are multiplied with both of a value: its products are exact.
#include "cpu/kernels/attention/attention_products_amx.h"
#include "cpu/kernels/attention/attention_softmax_inl.h"
#include "cpu/kernels/attention/attention_steps_rows.h"

namespace octet::cpu {
namespace {

template <class Operand>
class AmxSteps {
 public:
  AmxSteps(const AttentionProblem& p, void* scratch) : p_(p), l_(tile_layout(p)), scratch_(static_cast<char*>(scratch)) {}

  void scores(const ScoresArgs& a, int64_t begin, int64_t end) {
    each_chunk(begin, end, [&](int64_t first, int64_t stop, bool fresh) {
      const int64_t item = block_at(p_, first, kTileRows).item;
      if (fresh) pack_keys(operand_, l_, p_, row_at(a.k, a.k_stride, item, 0), a.k_stride * Operand::kBytes, scratch_ + l_.k);
      each_block(first, stop, [&](const QueryBlock& block, int64_t at) { load_queries(a, block, at); });
      each_block(first, stop, [&](const QueryBlock& block, int64_t at) { multiply_scores(block, at); });
      each_block(first, stop, [&](const QueryBlock& block, int64_t at) { store_scores(a, block, at); });
    });
  }
  void values(const ValuesArgs& a, int64_t begin, int64_t end) {
    each_chunk(begin, end, [&](int64_t first, int64_t stop, bool fresh) {
      const int64_t item = block_at(p_, first, kTileRows).item;
      if (fresh) pack_values(operand_, l_, p_, row_at(a.v, a.v_stride, item, 0), a.v_stride * Operand::kBytes, scratch_ + l_.v);
      each_block(first, stop, [&](const QueryBlock& block, int64_t at) { load_weights(a, block, at); });
      each_block(first, stop, [&](const QueryBlock& block, int64_t at) { multiply_values(block, at); });
      each_block(first, stop, [&](const QueryBlock& block, int64_t at) {
        for (int64_t i = 0; i < block.rows; ++i)
          finish_values(p_.out, sums(at + i), p_.head_dim, a.scale, a.out, target_index(p_, block.item, block.row + i));
      });
    });
  }

 private:
  static constexpr int kPlanes = Operand::kPlanes;

  // Head by head, as many blocks of query rows at a time as the scratch holds: long phases, as attention_amx.cpp has them.
  void each_chunk(int64_t begin, int64_t end, auto&& body) {
    const int64_t blocks = ceil_div(p_.tokens, kTileRows);
    int64_t packed = -1;
    for (int64_t first = begin; first < end;) {
      const int64_t item = first / blocks, stop = at_most(at_most(end, (item + 1) * blocks), first + l_.chunk / kTileRows);
      body(first, stop, item != packed);
      packed = item;
      first = stop;
    }
  }
  // body(block, its first row in the scratch)
  void each_block(int64_t first, int64_t stop, auto&& body) {
    for (int64_t index = first; index < stop; ++index) body(block_at(p_, index, kTileRows), (index - first) * kTileRows);
  }
  const uint8_t* row_at(const void* base, int64_t stride, int64_t item, int64_t token) const {
    return static_cast<const uint8_t*>(base) + source_index(p_, item, token, stride) * Operand::kBytes;
  }
  float* row(int64_t i) const { return reinterpret_cast<float*>(scratch_ + l_.s) + i * l_.s_stride; }
  float* sums(int64_t i) const { return reinterpret_cast<float*>(scratch_ + l_.o) + i * l_.o_stride; }

  void load_queries(const ScoresArgs& a, const QueryBlock& block, int64_t at) {
    for (int64_t r = 0; r < kTileRows; ++r)
      for (int64_t step = 0; step < l_.dim_steps; ++step) {
        Planes x = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        if (r < block.rows) {
          const uint8_t* q = row_at(a.q, a.q_stride, block.item, block.row + r);
          x = operand_.load(q + step * 32 * Operand::kBytes, p_.head_dim - step * 32);
        }
        char* to = scratch_ + l_.q + ((at + r) / 16 * l_.dim_steps + step) * kTileBytes + r % 16 * 64;
        _mm512_store_si512(to, x.high);
        if constexpr (kPlanes == 2) _mm512_store_si512(to + l_.q_plane, x.low);
      }
  }
  void multiply_scores(const QueryBlock& block, int64_t at) {
    const int64_t row_bytes = l_.dim_steps * kTileBytes, columns = ceil_div(block.keys, 16);
    const TileMatrix q{scratch_ + l_.q + at / 16 * row_bytes, l_.q_plane, row_bytes, kTileBytes, 64};
    const TileMatrix k{scratch_ + l_.k, l_.k_plane, row_bytes, kTileBytes, 64};
    finish_stores();
    for (int64_t n = 0; n < columns; n += 2) {
      multiply_even_column<kPlanes>(q, k, n, l_.dim_steps, row(at), l_.s_stride * 4);
      if (n + 1 < columns) multiply_odd_column<kPlanes>(q, k, n + 1, l_.dim_steps, row(at), l_.s_stride * 4);
    }
    finish_stores();
  }
  void store_scores(const ScoresArgs& a, const QueryBlock& block, int64_t at) {
    for (int64_t i = 0; i < block.rows; ++i) {
      float* s = row(at + i);
      for (int64_t j = visible(p_, block, i); j < ceil_div(p_.tokens, 32) * 32; ++j) s[j] = 0;
      finish_values(p_.out, s, pitch(p_.tokens), a.scale, a.out, (block.item * p_.tokens + block.row + i) * pitch(p_.tokens));
    }
  }

  // Rows of weights as planes, in the place that scores have above; zeros behind the keys that a row sees.
  void load_weights(const ValuesArgs& a, const QueryBlock& block, int64_t at) {
    const int64_t steps = ceil_div(block.keys, 32);
    for (int64_t r = 0; r < kTileRows; ++r) {
      char* to = reinterpret_cast<char*>(row(at + r));
      const int64_t seen = r < block.rows ? visible(p_, block, r) : 0;
      const uint8_t* from =
          static_cast<const uint8_t*>(a.p) + (block.item * p_.tokens + block.row + r) * pitch(p_.tokens) * Operand::kBytes;
      for (int64_t step = 0; step < steps; ++step) {
        Planes x = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        if (seen > step * 32) x = operand_.load(from + step * 32 * Operand::kBytes, seen - step * 32);
        _mm512_store_si512(to + step * 64 * kPlanes, x.high);
        if constexpr (kPlanes == 2) _mm512_store_si512(to + step * 128 + 64, x.low);
      }
    }
  }
  void multiply_values(const QueryBlock& block, int64_t at) {
    const int64_t steps = ceil_div(block.keys, 32), columns = ceil_div(p_.head_dim, 16), bytes = l_.o_stride * 4;
    const TileMatrix weights{reinterpret_cast<char*>(row(at)), 64, l_.s_stride * 64, 64 * kPlanes, l_.s_stride * 4};
    const TileMatrix v{scratch_ + l_.v, l_.v_plane, l_.token_steps * kTileBytes, kTileBytes, 64};
    finish_stores();
    int64_t n = 0;
    for (; n + 2 <= columns; n += 2) multiply_columns<kPlanes, kPlanes, 2, true>(weights, v, n, steps, sums(at), bytes);
    if (n < columns) multiply_columns<kPlanes, kPlanes, 1, true>(weights, v, n, steps, sums(at), bytes);
    finish_stores();
  }

  AttentionProblem p_;
  TileLayout l_;
  Operand operand_;
  char* scratch_;
};

// quantize_p tells pack_values() of weights in an order of their own, which these are not.
AttentionProblem plain(AttentionProblem p) {
  p.quantize_p = false;
  return p;
}

void with_operand(const AttentionProblem& p, void* scratch, auto&& body) {
  if (p.in == DType::e4m3) body(AmxSteps<E4m3Rows>(plain(p), scratch));
  else if (p.in == DType::bf16) body(AmxSteps<Bf16Rows>(plain(p), scratch));
  else body(AmxSteps<F16Rows>(plain(p), scratch));
}

Range blocks_of(const AttentionProblem& p, int64_t batch, int thread, int threads) {
  return share(batch * p.heads * ceil_div(p.tokens, kTileRows), thread, threads);
}

}  // namespace

size_t scratch_steps_amx(const AttentionProblem& p) { return static_cast<size_t>(tile_layout(plain(p)).total); }

void run_scores_amx(const AttentionProblem& p, const ScoresArgs& a, int thread, int threads) {
  const Range mine = blocks_of(p, a.batch, thread, threads);
  if (mine.begin >= mine.end) return;
  _tile_loadconfig(&kTileConfig);
  with_operand(p, a.scratch, [&](auto&& steps) { steps.scores(a, mine.begin, mine.end); });
  _tile_release();
}

void run_values_amx(const AttentionProblem& p, const ValuesArgs& a, int thread, int threads) {
  const Range mine = blocks_of(p, a.batch, thread, threads);
  if (mine.begin >= mine.end) return;
  _tile_loadconfig(&kTileConfig);
  with_operand(p, a.scratch, [&](auto&& steps) { steps.values(a, mine.begin, mine.end); });
  _tile_release();
}

}  // namespace octet::cpu
