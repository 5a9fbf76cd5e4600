// Attention by vdpbf16ps (two exact bf16 products a lane, f32 sums) for e4m3 with quantized p and for bf16, on CPUs that run it faster than
// the f32 FMA. An element of the depth is a pair: of head_dim in q k^T, of keys in p v. Keys and values of a head are packed once, 28 query
// rows at a time are multiplied, exponentiated and multiplied again.
#include "cpu/kernels/attention/attention_softmax_inl.h"
#include "cpu/simd/e4m3_avx512.h"
#include "cpu/simd/transpose_avx512.h"

namespace octet::cpu {
namespace {

using V = Native;
constexpr int64_t kQueryBlock = 28;  // query rows at a time
constexpr int64_t kPanel = 32;       // columns of a panel: two vectors
constexpr int kTall = 14;            // rows multiplied at a time: 28 sums, two vectors of b

// A thread's scratch, in floats (a pair of bf16 is as wide). k: [panels of keys][pairs of dims][kPanel]; v: [panels of dims][pairs of
// keys][kPanel]; rows: one panel of keys as they come, widened; q and weights: rows of pairs.
struct Layout {
  int64_t pairs, keys, dims, k, v, rows, q, s, weights, o, mask, total, s_stride, weight_stride, o_stride;
};
Layout layout(const AttentionProblem& p) {
  Layout l{};
  l.pairs = p.head_dim / 2, l.keys = ceil_div(p.tokens, kPanel) * kPanel, l.dims = ceil_div(p.head_dim, kPanel) * kPanel;
  l.s_stride = l.keys + 16;  // not a multiple of a page: rows must not share cache sets
  l.weight_stride = l.keys / 2 + 16, l.o_stride = l.dims + 16;
  l.v = l.k + l.keys * l.dims / 2;
  l.rows = l.v + l.dims * l.keys / 2;
  l.q = l.rows + kPanel * l.dims / 2;
  l.s = l.q + kQueryBlock * l.dims / 2;
  l.weights = l.s + kQueryBlock * l.s_stride;
  l.o = l.weights + kQueryBlock * l.weight_stride;
  l.mask = l.o + kQueryBlock * l.o_stride;
  l.total = l.mask + mask_floats(p);
  return l;
}

// 32 elements from `index` on as bf16, zeros from `count` on.
struct Widen {
  DType type;
  E4m3ToBf16 table;

  __m512i operator()(const void* from, int64_t index, int64_t count) const {
    if (type == DType::e4m3) return table.load(static_cast<const uint8_t*>(from) + index, count);
    return load_halves(static_cast<const uint16_t*>(from) + index, count);
  }
};

// Token `token` of k, v or q, head_dim elements, to `row`; zeros for a token that does not exist.
void widen_row(const AttentionProblem& p, const Widen& widen, const void* from, int64_t item, int64_t token, int64_t stride, float* row) {
  for (int64_t d = 0; d < p.head_dim; d += 32) {
    const __m512i x = token < p.tokens ? widen(from, source_index(p, item, token, stride) + d, p.head_dim - d) : _mm512_setzero_si512();
    _mm512_storeu_si512(row + d / 2, x);
  }
}

void pack_keys(const AttentionProblem& p, const AttentionArgs& a, const Layout& l, const Widen& widen, int64_t item, float* scratch) {
  float* rows = scratch + l.rows;
  const int64_t stride = l.dims / 2;
  for (int64_t key = 0; key < l.keys; key += kPanel) {
    for (int64_t i = 0; i < kPanel; ++i) widen_row(p, widen, a.k, item, key + i, a.k_stride, rows + i * stride);
    float* to = scratch + l.k + key * stride;
    for (int64_t pair = 0; pair < stride; pair += 16)
      for (int64_t half = 0; half < 2; ++half) {
        __m512i x[16];
        for (int64_t i = 0; i < 16; ++i) x[i] = _mm512_loadu_si512(rows + (half * 16 + i) * stride + pair);
        transpose_store(x, reinterpret_cast<char*>(to + pair * kPanel + half * 16), kPanel * sizeof(float));
      }
  }
}

void pack_values(const AttentionProblem& p, const AttentionArgs& a, const Layout& l, const Widen& widen, int64_t item, float* scratch) {
  const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34,
                                       2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  float *first = scratch + l.rows, *second = first + l.dims / 2;
  for (int64_t key = 0; key < l.keys; key += 2) {
    widen_row(p, widen, a.v, item, key, a.v_stride, first);
    widen_row(p, widen, a.v, item, key + 1, a.v_stride, second);
    for (int64_t d = 0; d < l.dims; d += kPanel) {
      const __m512i x = _mm512_loadu_si512(first + d / 2), y = _mm512_loadu_si512(second + d / 2);
      float* to = scratch + l.v + d * l.keys / 2 + key / 2 * kPanel;
      _mm512_storeu_si512(to, _mm512_permutex2var_epi16(x, low, y));
      _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi16(x, high, y));
    }
  }
}

// c[r][0..kPanel) = sum over `depth` pairs of a[r][pair] . b[pair][...] for kRows rows.
template <int kRows>
void multiply_block(const float* a, int64_t a_stride, const float* b, int64_t depth, float* c, int64_t c_stride) {
  __m512 sum[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
  for (int64_t pair = 0; pair < depth; ++pair) {
    const auto left = (__m512bh)_mm512_loadu_si512(b + pair * kPanel), right = (__m512bh)_mm512_loadu_si512(b + pair * kPanel + 16);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const auto x = (__m512bh)_mm512_set1_ps(a[r * a_stride + pair]);
      sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, left);
      sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, right);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm512_storeu_ps(c + r * c_stride, sum[r][0]);
    _mm512_storeu_ps(c + r * c_stride + 16, sum[r][1]);
  }
}

// c[rows][cols] = a[rows][depth] * b, b in panels of `panel_depth` pairs. Rows of a and c exist up to kQueryBlock.
void multiply(const float* a, int64_t a_stride, const float* b, int64_t panel_depth, int64_t rows, int64_t depth, int64_t cols, float* c,
              int64_t c_stride) {
  for (int64_t n = 0; n < cols; n += kPanel)
    for (int64_t r = 0; r < rows; r += kTall) {
      const auto block = rows - r > 8 ? multiply_block<kTall> : rows - r > 4 ? multiply_block<8> : multiply_block<4>;
      block(a + r * a_stride, a_stride, b + n * panel_depth, depth, c + r * c_stride + n, c_stride);
    }
}

// Rows of weights as pairs of bf16: exact if they are e4m3 values, else rounded once.
void narrow(const Layout& l, const QueryBlock& block, const float* s, float* weights) {
  for (int64_t i = 0; i < block.rows; ++i)
    for (int64_t j = 0; j < block.keys; j += 32) {
      const float* from = s + i * l.s_stride + j;
      const __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from));
      _mm512_storeu_si512(weights + i * l.weight_stride + j / 2, (__m512i)pairs);
    }
}

void load_queries(const AttentionProblem& p, const AttentionArgs& a, const Layout& l, const QueryBlock& block, const Widen& widen,
                  float* q) {
  const __m512i sign = _mm512_set1_epi16(static_cast<short>(scales_of(a).negate ? 0x8000 : 0));
  for (int64_t i = 0; i < kQueryBlock; ++i) {
    float* row = q + i * l.dims / 2;
    widen_row(p, widen, a.q, block.item, i < block.rows ? block.row + i : p.tokens, a.q_stride, row);
    for (int64_t d = 0; d < l.dims / 2; d += 16) _mm512_storeu_si512(row + d, _mm512_xor_si512(_mm512_loadu_si512(row + d), sign));
  }
}

void attend(const AttentionProblem& p, const AttentionArgs& a, const QueryBlock& block, const Layout& l, const Widen& widen,
            float* scratch) {
  float *q = scratch + l.q, *s = scratch + l.s, *weights = scratch + l.weights, *o = scratch + l.o, finish[kQueryBlock];
  load_queries(p, a, l, block, widen, q);
  multiply(q, l.dims / 2, scratch + l.k, l.dims / 2, block.rows, l.pairs, block.keys, s, l.s_stride);
  softmax(p, a, block, s, l.s_stride, kPanel, scratch + l.mask, finish);
  narrow(l, block, s, weights);
  multiply(weights, l.weight_stride, scratch + l.v, l.keys / 2, block.rows, ceil_div(block.keys, 2), p.head_dim, o, l.o_stride);
  for (int64_t i = 0; i < block.rows; ++i) finish_row(p, o + i * l.o_stride, finish[i], a.out, target_index(p, block.item, block.row + i));
}

}  // namespace

size_t attention_scratch_avx512bf16(const AttentionProblem& p) { return static_cast<size_t>(layout(p).total) * sizeof(float); }

void run_attention_avx512bf16(const AttentionProblem& p, const AttentionArgs& a, int thread, int threads) {
  const Layout l = layout(p);
  const Range mine = share(block_count(p, a, kQueryBlock), thread, threads);
  const Widen widen{p.in, {}};
  auto* scratch = static_cast<float*>(a.scratch);
  int64_t packed = -1;
  for (int64_t index = mine.begin; index < mine.end; ++index) {
    const QueryBlock block = block_at(p, index, kQueryBlock);
    if (block.item != packed) {
      pack_keys(p, a, l, widen, block.item, scratch);
      pack_values(p, a, l, widen, block.item, scratch);
      if (p.mask != Mask::kNone) load_mask(p, a, block.item, scratch + l.mask);
    }
    packed = block.item;
    attend(p, a, block, l, widen, scratch);
  }
}

}  // namespace octet::cpu
