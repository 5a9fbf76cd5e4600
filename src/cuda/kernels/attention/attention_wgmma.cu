// Attention by warpgroup products (sm_90a) for head_dim 64 and 17 to 264 tokens. A block of one warpgroup takes one head: keys and
// values lie in shared memory as 16-bit rows (e4m3 is exact there), 64 queries at a time keep their whole rows of scores in registers,
// so every row's sum is known before p is divided by it and rounded. Up to 16 queries left over go by mma.sync, their keys shared by the
// four warps. Next: attention_rows.cuh, attention_wgmma.cuh.
//
// Besides what attention.cuh says: BLOCKS_PER_SM, thread blocks that share a multiprocessor (registers bound them); PARTS, groups of
// products into which p * v is cut, each under way while the next one's p is made.
#include "attention_rows.cuh"
#include "attention_scores.cuh"
#include "attention_wgmma.cuh"

static_assert(HEAD_DIM == 64 && TOKENS > 16 && TOKENS <= 264);
constexpr int kThreads = 128, kRest = TOKENS % 64, kTail = kRest <= 16 ? kRest : 0, kBlocks = TOKENS / 64 + (kRest > 16);
constexpr int kGroups = (TOKENS + 15) / 16;  // of 16 keys
// Shared memory: rows of keys, of values, of a block's queries; 4 * 16 maxima, 4 * 16 sums. The last queries' probabilities take the
// keys' place.
constexpr int kValuesAt = kTiles * 1024, kQueriesAt = 2 * kValuesAt, kMaximaAt = kQueriesAt + 8192, kSumsAt = kMaximaAt + 256;

// 64 queries from `first` on (16 of them this warp's) with the first kCount tiles of keys.
template <int kCount>
struct Block : Scores<kCount> {
  // Tiles of the warpgroup's products (an odd one goes by mma.sync), and of the first of two; groups of 16 keys.
  static constexpr int kWide = kCount & ~1, kHalf = kWide > 16 ? (kWide / 2 + 1) & ~1 : kWide, kWideGroups = kWide / 2;
  using Scores<kCount>::s;
  OCTET_DEVICE explicit Block(int first) : Scores<kCount>(first) {}

  OCTET_DEVICE void score(uint32_t shared) {
    wgmma_begin();
    multiply_keys<0, kHalf>(shared);
    if constexpr (kWide > kHalf) multiply_keys<kHalf, kWide>(shared);
    if constexpr (kCount > kWide) multiply_last_keys(shared);
    if constexpr (kWide > kHalf) {
      wgmma_wait<1>();
      wgmma_results<0, kHalf * 4>(s);
      this->template take_maxima<0, kHalf>();
    }
    wgmma_wait<0>();
    wgmma_results<0, kWide * 4>(s);
    this->template take_maxima<(kWide > kHalf ? kHalf : 0), kCount>();
    this->join_maxima();
  }
  template <int kFrom, int kTo>
  OCTET_DEVICE void multiply_keys(uint32_t shared) {
    const uint64_t queries = rows128(shared + kQueriesAt), keys = rows128(shared + kFrom * 1024);
#pragma unroll
    for (int k = 0; k < 4; ++k) multiply_rows<Half, (kTo - kFrom) * 8, kFrom * 4>(s, queries + 2 * k, keys + 2 * k, k > 0);
    wgmma_commit();
  }
  OCTET_DEVICE void multiply_last_keys(uint32_t shared) {
    const int lane = lane_id(), warp = warp_id();
    float c[4] = {};
#pragma unroll
    for (int k = 0; k < 4; k += 2) {
      uint32_t b[4];
      load_matrices(b, shared + kWide * 1024 + (lane & 7) * 128 + (((2 * k + (lane >> 3)) ^ (lane & 7)) << 4));
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        uint32_t q[4];
        load_matrices(q, shared + kQueriesAt + (warp * 16 + (lane & 15)) * 128 + (((2 * k + 2 * i + (lane >> 4)) ^ (lane & 7)) << 4));
        mma_16816<kBf16>(c, q, b[2 * i], b[2 * i + 1]);
      }
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) s[4 * kWide + e] = c[e];
  }
  OCTET_DEVICE uint32_t probabilities(int tile, int r, float factor) const {
    return pack_probabilities(s[4 * tile + 2 * r] * factor, s[4 * tile + 2 * r + 1] * factor);
  }
  template <int kPart>
  OCTET_DEVICE void multiply_values(float (&out)[32], const float (&factor)[2], uint32_t shared) {
    constexpr int kFrom = kWideGroups * kPart / PARTS, kTo = kWideGroups * (kPart + 1) / PARTS;
    if constexpr (kTo > kFrom) {
      uint32_t p[kTo - kFrom][4];
#pragma unroll
      for (int k = kFrom; k < kTo; ++k)
#pragma unroll
        for (int i = 0; i < 4; ++i) p[k - kFrom][i] = probabilities(2 * k + (i >> 1), i & 1, factor[i & 1]);
      const uint64_t values = rows128(shared + kValuesAt);
      wgmma_begin();
#pragma unroll
      for (int k = kFrom; k < kTo; ++k) multiply_columns<Half>(out, p[k - kFrom], values + 128 * k, k > 0);
      wgmma_commit();
    }
    if constexpr (kPart + 1 < PARTS) multiply_values<kPart + 1>(out, factor, shared);
  }
  // The odd tile: 8 keys.
  OCTET_DEVICE void multiply_last_values(float (&out)[32], const uint32_t (&last)[2], uint32_t shared) {
    const int lane = lane_id();
    const uint32_t p[4] = {last[0], last[1], 0, 0};
#pragma unroll
    for (int d = 0; d < 8; d += 4) {
      uint32_t b[4];
      load_matrices_transposed(b, shared + kValuesAt + kWide * 1024 + (lane & 7) * 128 + (((d + (lane >> 3)) ^ (lane & 7)) << 4));
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float(&c)[4] = reinterpret_cast<float(&)[4]>(out[4 * (d + i)]);
        mma_16816<kBf16>(c, p, b[i], 0);
      }
    }
  }
};

struct Head {
  const AttentionParams& p;
  const IN* q;
  OUT* out;
  uint8_t* shared;

  OCTET_DEVICE void load_query(Query& query, int first) const { query.load(q, p.q_stride, first + row_in_block()); }
  OCTET_DEVICE OUT* row_of(int row) const { return out + int64_t(row) * (HEADS * HEAD_DIM); }

  // Queries from `first` on; then `query` holds those of the next block, or of the tail (in the first warp).
  template <int kCount>
  OCTET_DEVICE void attend(int first, Query& query) const {
    using Here = Block<kCount>;
    const uint32_t at = shared_address(shared);
    query.store(shared + kQueriesAt, row_in_block());
    publish_to_async();
    __syncthreads();
    Here block(first);
    block.score(at);
    __syncthreads();  // the queries have been read
    block.exponentials(p.scale);
    const float factor[2] = {factor_of(p, block.sum(0)), factor_of(p, block.sum(1))};
    uint32_t last_probabilities[2];
    if constexpr (kCount > Here::kWide)
      for (int r = 0; r < 2; ++r) last_probabilities[r] = block.probabilities(Here::kWide, r, factor[r]);
    float out[32];
    block.template multiply_values<0>(out, factor, at);
    load_query(query, first + 64);
    wgmma_wait<0>();
    wgmma_results<0, 32>(out);
    if constexpr (kCount > Here::kWide) block.multiply_last_values(out, last_probabilities, at);
    const int row = block.row();
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float x[16];
#pragma unroll
      for (int i = 0; i < 16; ++i) x[i] = out[4 * (i / 2) + 2 * r + i % 2] * p.out_scale;
      if (row + 8 * r < TOKENS) store_values(row_of(row + 8 * r) + quad_id() * 16, x);
    }
  }
};

// The last kTail queries of a head. The warps share the keys, 16 at a time in turn; then each takes 16 columns of out.
struct Tail {
  static constexpr int kFirst = TOKENS - kTail, kMine = (kGroups + 3) / 4, kRows = kTail > 8 ? 2 : 1, kPitch = kGroups * 32 + 16;
  const Head& h;
  uint8_t* const shared;
  const uint32_t at;
  int lane, warp, group, quad;
  float s[kMine][8];

  OCTET_DEVICE explicit Tail(const Head& h)
      : h(h), shared(h.shared), at(shared_address(h.shared)), lane(lane_id()), warp(warp_id()), group(group_id()), quad(quad_id()) {}

  OCTET_DEVICE float* slot(int from, int of_warp, int r) const {
    return reinterpret_cast<float*>(shared + from) + of_warp * 16 + group + 8 * r;
  }
  // The four warps' values of a row, joined by `join`.
  template <class Join>
  OCTET_DEVICE void exchange(float (&x)[2], int from, Join join) const {
    for (int r = 0; r < kRows; ++r)
      if (quad == 0) *slot(from, warp, r) = x[r];
    __syncthreads();
    for (int r = 0; r < kRows; ++r) x[r] = join(join(*slot(from, 0, r), *slot(from, 1, r)), join(*slot(from, 2, r), *slot(from, 3, r)));
  }

  OCTET_DEVICE void score() {
    uint32_t q[4][4];
#pragma unroll
    for (int k = 0; k < 4; ++k) load_matrices(q[k], at + kQueriesAt + (lane & 15) * 128 + (((2 * k + (lane >> 4)) ^ (lane & 7)) << 4));
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      const int sixteen = warp + 4 * i, row = sixteen * 16 + (lane >> 4) * 8 + (lane & 7);
      float c[2][4] = {};
      if (sixteen < kGroups) {
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          uint32_t b[4];
          load_matrices(b, at + row * 128 + (((2 * k + ((lane >> 3) & 1)) ^ (row & 7)) << 4));
          mma_16816<kBf16>(c[0], q[k], b[0], b[1]);
          mma_16816<kBf16>(c[1], q[k], b[2], b[3]);
        }
      }
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const bool seen = visible(16 * sixteen + 8 * (e >> 2) + 2 * quad + (e & 1), kFirst + group + (e & 2) * 4);
        s[i][e] = seen ? c[e >> 2][e & 3] : minus_infinity();
      }
    }
  }
  OCTET_DEVICE void exponentials(float (&sum)[2]) {
    float most[2];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float m = minus_infinity();
#pragma unroll
      for (int i = 0; i < kMine; ++i) m = fmaxf(m, fmaxf(fmaxf(s[i][2 * r], s[i][2 * r + 1]), fmaxf(s[i][2 * r + 4], s[i][2 * r + 5])));
      most[r] = quad_max(m);
    }
    exchange(most, kMaximaAt, [](float a, float b) { return fmaxf(a, b); });
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      sum[r] = 0;
#pragma unroll
      for (int i = 0; i < kMine; ++i)
#pragma unroll
        for (int e = 2 * r; e < 8; e += e & 1 ? 3 : 1) {
          s[i][e] = exp2_approx(fmaf(s[i][e], h.p.scale, -most[r] * h.p.scale));
          sum[r] += s[i][e];
        }
      sum[r] = quad_sum(sum[r]);
    }
    exchange(sum, kSumsAt, [](float a, float b) { return a + b; });
  }
  // Probabilities to where the keys were: every warp has left them.
  OCTET_DEVICE void share_probabilities(const float (&sum)[2]) const {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const float factor = factor_of(h.p, sum[r]);
#pragma unroll
      for (int i = 0; i < kMine; ++i) {
        const int sixteen = warp + 4 * i;
        if (sixteen >= kGroups) continue;
#pragma unroll
        for (int half = 0; half < 2; ++half)
          *reinterpret_cast<uint32_t*>(shared + (group + 8 * r) * kPitch + (16 * sixteen + 8 * half + 2 * quad) * 2) =
              pack_probabilities(s[i][4 * half + 2 * r] * factor, s[i][4 * half + 2 * r + 1] * factor);
      }
    }
    __syncthreads();
  }
  OCTET_DEVICE void multiply_values(float (&out)[2][4]) const {
    const uint32_t probabilities = at + (lane & 15) * kPitch + (lane >> 4) * 16;
    const uint32_t values = at + kValuesAt + (lane & 15) * 128 + (((2 * warp + (lane >> 4)) ^ (lane & 7)) << 4);
#pragma unroll
    for (int k = 0; k < kGroups; ++k) {
      uint32_t a[4], b[4];
      load_matrices(a, probabilities + 32 * k);
      load_matrices_transposed(b, values + 2048 * k);
      if (2 * k + 1 == kTiles) b[1] = b[3] = 0;  // there are no such rows
      mma_16816<kBf16>(out[0], a, b[0], b[1]);
      mma_16816<kBf16>(out[1], a, b[2], b[3]);
    }
  }
  OCTET_DEVICE void attend(const Query& query) {
    float sum[2], out[2][4] = {};
    query.store(shared + kQueriesAt, row_in_block());
    __syncthreads();
    score();
    exponentials(sum);
    share_probabilities(sum);
    multiply_values(out);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float x[4];
      for (int i = 0; i < 4; ++i) x[i] = out[i >> 1][2 * r + (i & 1)] * h.p.out_scale;
      if (group + 8 * r < kTail) store_values(h.row_of(kFirst + group + 8 * r) + quad * 16 + warp * 4, x);
    }
  }
};

// The blocks of 64 queries in [begin, end). Causal ones differ in their keys: code for each, from kBlock on; others are one loop.
template <int kBlock>
OCTET_DEVICE void attend_blocks(const Head& h, Query& query, int begin, int end) {
  if constexpr (!CAUSAL) {
#pragma unroll 1
    for (int block = begin; block < end; ++block) h.attend<kTiles>(block * 64, query);
  } else if constexpr (kBlock < kBlocks) {
    if (begin <= kBlock && kBlock < end) h.attend<(8 * kBlock + 8 < kTiles ? 8 * kBlock + 8 : kTiles)>(kBlock * 64, query);
    attend_blocks<kBlock + 1>(h, query, begin, end);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads, BLOCKS_PER_SM) attention_wgmma(const __grid_constant__ AttentionParams p) {
  extern __shared__ __align__(1024) uint8_t shared[];
  // The first p.whole thread blocks take a head each; the others share one among p.parts.
  const int split = int(blockIdx.x) - p.whole, parts = split < 0 ? 1 : p.parts, part = split < 0 ? 0 : split % parts;
  const int item = split < 0 ? int(blockIdx.x) : p.whole + split / parts, head = item % HEADS;
  const int begin = kBlocks * part / parts, end = kBlocks * (part + 1) / parts;
  const int64_t token = int64_t(item / HEADS) * TOKENS;
  const Head h{p, p.q + token * p.q_stride + head * HEAD_DIM, p.out + (token * HEADS + head) * HEAD_DIM, shared};

  wait_for_predecessor();
  Query query;
  {
    Rows keys, values;
    keys.load(p.k + token * p.k_stride + head * HEAD_DIM, p.k_stride);
    values.load(p.v + token * p.v_stride + head * HEAD_DIM, p.v_stride);
    h.load_query(query, begin * 64);
    keys.store(shared);
    values.store(shared + kValuesAt);
  }
  let_successor_start();
  attend_blocks<0>(h, query, begin, end);
  if (kTail > 0 && end == kBlocks) {
    Tail tail(h);
    tail.attend(query);
  }
}
