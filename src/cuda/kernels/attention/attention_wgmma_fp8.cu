// FP8 attention by FP8 warpgroup products (sm_90a) for head_dim 64 and 17 to 264 tokens, p quantized. A block of one warpgroup stays and
// takes head after head. Keys and queries are multiplied as they lie in memory; values are transposed, byte by byte, on their way through
// shared memory, since FP8 products read both operands along K. 64 queries at a time keep their whole rows of scores in registers, so every
// row's sum is known before p is divided by it and rounded. Up to 16 queries left over are the columns of transposed products: keys by
// queries, then values by p. What is copied next is asked for as soon as its place is free: values when they have been transposed, a block's
// queries when its scores are made, the next head's keys after the last of them. Next: attention_scores.cuh, attention_wgmma.cuh.
//
// The order of keys in a group of 32 is that in which a lane has their p: position 16 * h + 4 * t + i of transposed values and of p is key
// 8 * (2 * h + i / 2) + 2 * t + i % 2. The order of columns is that of attention_rows.cuh: row 8 * i + 2 * t + e of transposed values
// is element 16 * t + 2 * i + e, so that a lane of out owns 16 that are neighbours.
//
// Besides what attention.cuh says: BLOCKS_PER_SM, thread blocks that share a multiprocessor (registers bound them).
#include "attention_scores.cuh"
#include "attention_wgmma.cuh"
#include "attention_work.cuh"

static_assert(is_same<IN, e4m3> && QUANTIZE_P);
constexpr int kTailRows = kTail > 8 ? 16 : 8;
constexpr int kGroups = (TOKENS + 31) / 32;  // of 32 keys
// Transposed values: 8 rows of 16 bytes, 16 more bytes so that a warp's stores meet every bank once; 8 of these for every 16 keys.
constexpr int kCore = 144, kChunk = 8 * kCore;
constexpr int kTailChunk = 16 * kTailRows;  // p of the tail: for every 16 keys
// Shared memory, in bytes.
constexpr int kKeysAt = 0, kRawAt = kTiles * 512, kQueriesAt = kRawAt + kGroups * 2048, kTailAt = kQueriesAt + 4096;
constexpr int kValuesAt = kTailAt + 1024, kCodesAt = kValuesAt + 2 * kGroups * kChunk, kMaximaAt = kCodesAt + 2 * kGroups * kTailChunk;
constexpr int kSumsAt = kMaximaAt + 256, kBytes = kSumsAt + 256;
static_assert(kBytes == SHARED_BYTES && (kTail == 0 || kRawAt + kGroups * 2048 >= (TOKENS + 63) / 64 * 4096));  // the tail's products read whole 64 rows
#include "attention_ask.cuh"

OCTET_DEVICE void ask_values(const AttentionParams& p, const Work& work, uint32_t shared) {
  copy_rows<TOKENS>(shared + kRawAt, p.v, p.v_stride, work, 0, TOKENS);
}
OCTET_DEVICE void wait_for_copies() {
  end_group();
  wait_for_groups<0>();
}

// Values of 16 columns a warp, 32 keys at a time: an 8x8 matrix of byte pairs, transposed, leaves a lane two keys of two columns; with
// the next 8 keys' it has four of each.
OCTET_DEVICE void transpose_values(uint32_t shared) {
  const int lane = lane_id(), warp = warp_id(), quad = lane & 3, group = lane >> 2;
  const uint32_t from = shared + kRawAt + place(lane, warp), to = shared + kValuesAt + group * kCore + warp * 32 + quad * 4;
#pragma unroll
  for (int i = 0; i < kGroups; ++i) {
    uint32_t x[4];
    load_matrices_transposed(x, from + i * 2048);
#pragma unroll
    for (int h = 0; h < 2; ++h)
#pragma unroll
      for (int e = 0; e < 2; ++e)
        asm volatile("st.shared.b32 [%0], %1;" ::"r"(to + (2 * i + h) * kChunk + e * 16),
                     "r"(__byte_perm(x[2 * h], x[2 * h + 1], e ? 0x7531 : 0x6420))
                     : "memory");
  }
}

OCTET_DEVICE uint32_t pack4(float a, float b, float c, float d) {
  return f32_to_e4m3x2(a, b) | uint32_t(f32_to_e4m3x2(c, d)) << 16;
}

// 64 queries from `first` on (16 of them this warp's) with the first kCount tiles of keys.
template <int kCount>
struct Block : Scores<kCount> {
  // Tiles of the first product, of two as wide as each other, and of those but an odd last one.
  static constexpr int kWide = kCount & ~1, kHalf = kWide > 16 ? (kWide / 2 + 1) & ~1 : kWide, kSteps = (kCount + 3) / 4;
  using Scores<kCount>::s;
  OCTET_DEVICE explicit Block(int first) : Scores<kCount>(first) {}

  template <int kFrom, int kTo>
  OCTET_DEVICE void multiply_keys(uint32_t shared) {
    if constexpr (kTo > kFrom) {
      const uint64_t queries = rows64(shared + kQueriesAt), keys = rows64(shared + kKeysAt + kFrom * 512);
#pragma unroll
      for (int k = 0; k < 2; ++k) multiply_rows<e4m3, (kTo - kFrom) * 8, kFrom * 4>(s, queries + 2 * k, keys + 2 * k, k > 0);
    }
  }
  OCTET_DEVICE void score(uint32_t shared) {
    wgmma_begin();
    multiply_keys<0, kHalf>(shared);
    wgmma_commit();
    multiply_keys<kHalf, kWide>(shared);
    multiply_keys<kWide, kCount>(shared);
    wgmma_commit();
    wgmma_wait<1>();
    wgmma_results<0, kHalf * 4>(s);
    this->template take_maxima<0, kHalf>();
    wgmma_wait<0>();
    wgmma_results<kHalf * 4, kCount * 4>(s);
    this->template take_maxima<kHalf, kCount>();
    this->join_maxima();
  }
  OCTET_DEVICE uint32_t codes(int tile, int r, float factor) const {
    float x[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = tile + i / 2 < kCount ? s[4 * tile + 4 * (i / 2) + 2 * r + i % 2] * factor : 0.0f;
    return tile < kCount ? pack4(x[0], x[1], x[2], x[3]) : 0;
  }
  OCTET_DEVICE void multiply_values(float (&out)[32], const float (&factor)[2], uint32_t shared) {
    uint32_t p[kSteps][4];
#pragma unroll
    for (int k = 0; k < kSteps; ++k)
#pragma unroll
      for (int i = 0; i < 4; ++i) p[k][i] = codes(4 * k + (i & 2), i & 1, factor[i & 1]);
    const uint64_t values = cores<kChunk, kCore>(shared + kValuesAt);
    wgmma_begin();
#pragma unroll
    for (int k = 0; k < kSteps; ++k) multiply_columns<e4m3>(out, p[k], values + 2 * k * (kChunk / 16), k > 0);
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_results<0, 32>(out);
  }
  OCTET_DEVICE void store(const float (&out)[32], OUT* to, float scale) const {
    const int row = this->row();
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float x[16];
#pragma unroll
      for (int i = 0; i < 16; ++i) x[i] = out[4 * (i / 2) + 2 * r + i % 2] * scale;
      if (row + 8 * r < TOKENS) store_values(to + int64_t(row + 8 * r) * (HEADS * HEAD_DIM) + quad_id() * 16, x);
    }
  }
};

// The last kTail queries of a head, as columns: a warp has 16 of every 64 keys, then 16 of the 64 columns of out. Query 8 * j + 2 * quad + e of
// keys 64 * m + 16 * warp + group (+ 8) is s[m][4 * j + e] (+ 2).
struct Tail {
  static constexpr int kFirst = TOKENS - kTail, kParts = (TOKENS + 63) / 64, kEach = kTailRows / 2, kColumns = kTailRows / 8;
  static constexpr int kSides = kTail > 1 ? 2 : 1;  // of a lane's two neighbouring queries, those that exist
  uint8_t* const shared;
  float s[kParts * kEach];

  OCTET_DEVICE explicit Tail(uint8_t* shared) : shared(shared) {}

  OCTET_DEVICE float* slot(int from, int warp, int query) const { return reinterpret_cast<float*>(shared + from) + warp * 16 + query; }
  template <int kPart>
  OCTET_DEVICE void multiply_keys(uint32_t at) {
    if constexpr (kPart < kParts) {
#pragma unroll
      for (int k = 0; k < 2; ++k)
        multiply_rows<e4m3, kTailRows, kPart * kEach>(s, rows64(at + kKeysAt + kPart * 4096) + 2 * k, rows64(at + kTailAt) + 2 * k, k > 0);
      multiply_keys<kPart + 1>(at);
    }
  }
  OCTET_DEVICE void ask_scores(uint32_t at) {
    wgmma_begin();
    multiply_keys<0>(at);
    wgmma_commit();
  }
  OCTET_DEVICE int key(int part, int e) const { return 64 * part + 16 * warp_id() + 8 * (e >> 1) + group_id(); }

  // This warp's maxima to shared memory: for the barrier that follows.
  OCTET_DEVICE void share_maxima() {
    wgmma_wait<0>();
    wgmma_results<0, kParts * kEach>(s);
    const int quad = quad_id();
#pragma unroll
    for (int j = 0; j < kColumns; ++j)
#pragma unroll
      for (int side = 0; side < kSides; ++side) {
        const int query = 8 * j + 2 * quad + side;
        float most = minus_infinity();
#pragma unroll
        for (int m = 0; m < kParts; ++m)
#pragma unroll
          for (int e = side; e < 4; e += 2) {
            float& x = s[m * kEach + 4 * j + e];
            if (64 * m + 64 > TOKENS || CAUSAL) x = visible(key(m, e), kFirst + query) ? x : minus_infinity();
            most = fmaxf(most, x);
          }
        most = column_max(most);
        if (group_id() == 0) *slot(kMaximaAt, warp_id(), query) = most;
      }
  }
  OCTET_DEVICE static float column_max(float x) {
#pragma unroll
    for (int step = 4; step < 32; step *= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, step));
    return x;
  }
  OCTET_DEVICE static float column_sum(float x) {
#pragma unroll
    for (int step = 4; step < 32; step *= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
  }
  OCTET_DEVICE void share_sums(float scale) {
    const int quad = quad_id();
#pragma unroll
    for (int j = 0; j < kColumns; ++j)
#pragma unroll
      for (int side = 0; side < kSides; ++side) {
        const int query = 8 * j + 2 * quad + side;
        const float most = fmaxf(fmaxf(*slot(kMaximaAt, 0, query), *slot(kMaximaAt, 1, query)),
                                 fmaxf(*slot(kMaximaAt, 2, query), *slot(kMaximaAt, 3, query)));
        float sum = 0;
#pragma unroll
        for (int m = 0; m < kParts; ++m)
#pragma unroll
          for (int e = side; e < 4; e += 2) {
            float& x = s[m * kEach + 4 * j + e];
            x = exp2_approx(fmaf(x, scale, -most * scale));
            sum += x;
          }
        sum = column_sum(sum);
        if (group_id() == 0) *slot(kSumsAt, warp_id(), query) = sum;
      }
  }
  OCTET_DEVICE void share_codes(float inv_p_scale) {
    const int quad = quad_id(), group = group_id(), warp = warp_id();
#pragma unroll
    for (int j = 0; j < kColumns; ++j)
#pragma unroll
      for (int side = 0; side < kSides; ++side) {
        const int query = 8 * j + 2 * quad + side;
        const float sum =
            (*slot(kSumsAt, 0, query) + *slot(kSumsAt, 1, query)) + (*slot(kSumsAt, 2, query) + *slot(kSumsAt, 3, query));
        const float factor = inv_p_scale * reciprocal_approx(sum);
        uint8_t* const to = shared + kCodesAt + j * 128 + (2 * quad + side) * 16 + 4 * (group >> 1) + (group & 1);
#pragma unroll
        for (int m = 0; m < kParts; ++m)
#pragma unroll
          for (int high = 0; high < 2; ++high)
            if (query < kTail && (64 * m + 64 <= TOKENS || key(m, 2 * high) < TOKENS))
              to[(4 * m + warp) * kTailChunk + 2 * high] = from_f32<e4m3>(s[m * kEach + 4 * j + 2 * high + side] * factor).bits;
      }
    publish_to_async();
  }
  OCTET_DEVICE void multiply_values(uint32_t at, OUT* out, float scale) {
    float x[kEach];
    wgmma_begin();
#pragma unroll
    for (int k = 0; k < kGroups; ++k)
      multiply_rows<e4m3, kTailRows, 0>(x, cores<kChunk, kCore>(at + kValuesAt + 2 * k * kChunk),
                                        cores<kTailChunk, 128>(at + kCodesAt + 2 * k * kTailChunk), k > 0);
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_results<0, kEach>(x);
    const int quad = quad_id(), group = group_id();
    out += 16 * (group >> 1) + 4 * warp_id() + (group & 1);
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int query = 8 * (i / 4) + 2 * quad + (i & 1);
      if ((i & 1) < kSides && query < kTail) out[int64_t(kFirst + query) * (HEADS * HEAD_DIM) + (i & 2)] = from_f32<OUT>(x[i] * scale);
    }
  }
};

// What no copy fills: rows past the last token, of the tail past the last query. Products read them, and 0 * NaN is NaN.
OCTET_DEVICE void clear_rests(uint8_t* shared) {
  clear(shared, kKeysAt + TOKENS * 64, kRawAt);
  clear(shared, kRawAt + TOKENS * 64, kQueriesAt);
  clear(shared, kTailAt + kTail * 64, kValuesAt);
  clear(shared, kCodesAt, kMaximaAt);
}

template <int kCount>
OCTET_DEVICE void attend(const AttentionParams& p, const Work& work, int next, int block, uint32_t at) {
  if (block > work.begin) wait_for_copies();
  Block<kCount> here(block * 64);
  here.score(at);
  __syncthreads();  // queries, and keys if this is the last block, have been read
  if (block + 1 < work.end) ask_queries(p, work, at, block + 1);
  else if (next < p.works) ask_keys(p, Work(p, next), at);
  here.exponentials(p.scale);
  const float factor[2] = {factor_of(p, here.sum(0)), factor_of(p, here.sum(1))};
  float out[32];
  here.multiply_values(out, factor, at);
  here.store(out, work.out(p), p.out_scale);
}
// The blocks of 64 queries of `work`. Causal ones differ in their keys: code for each, from kBlock on; others are one loop.
template <int kBlock>
OCTET_DEVICE void attend_blocks(const AttentionParams& p, const Work& work, int next, uint32_t at) {
  if constexpr (!CAUSAL) {
#pragma unroll 1
    for (int block = work.begin; block < work.end; ++block) attend<kTiles>(p, work, next, block, at);
  } else if constexpr (kBlock < kBlocks) {
    if (work.begin <= kBlock && kBlock < work.end) attend<(8 * kBlock + 8 < kTiles ? 8 * kBlock + 8 : kTiles)>(p, work, next, kBlock, at);
    attend_blocks<kBlock + 1>(p, work, next, at);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads, BLOCKS_PER_SM) attention_wgmma_fp8(const __grid_constant__ AttentionParams p) {
  extern __shared__ __align__(1024) uint8_t shared[];
  const uint32_t at = shared_address(shared);
  clear_rests(shared);
  wait_for_predecessor();
  {
    const Work first(p, int(blockIdx.x));
    ask_keys(p, first, at);
    ask_values(p, first, at);
  }
#pragma unroll 1
  for (int index = int(blockIdx.x); index < p.works; index += int(gridDim.x)) {
    const Work work(p, index);
    const int next = index + int(gridDim.x);
    if (next >= p.works) let_successor_start();
    wait_for_copies();
    if (work.has_tail()) {
      Tail tail(shared);
      tail.ask_scores(at);
      transpose_values(at);
      tail.share_maxima();
      publish_to_async();
      __syncthreads();
      if (next < p.works) ask_values(p, Work(p, next), at);
      tail.share_sums(p.scale);
      __syncthreads();
      tail.share_codes(p.inv_p_scale);
      __syncthreads();
      tail.multiply_values(at, work.out(p), p.out_scale);
    } else {
      transpose_values(at);
      publish_to_async();
      __syncthreads();
      if (next < p.works) ask_values(p, Work(p, next), at);
    }
    attend_blocks<0>(p, work, next, at);
  }
}
