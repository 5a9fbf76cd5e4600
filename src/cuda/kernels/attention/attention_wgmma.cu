// Attention by warpgroup products (sm_90a) for head_dim 64 and 17 to 264 tokens, of e4m3 as f16: exact products, sums in f32. A block of one
// warpgroup takes one head: keys and values lie in shared memory as 16-bit rows, 64 queries at a time keep their whole rows of scores in
// registers, so every row's sum is known before p is divided by it and rounded. Up to 16 queries left over go by mma.sync, their keys shared
// by the four warps. Next: attention_rows.cuh, attention_half.cuh.
//
// Besides what attention.cuh says: BLOCKS_PER_SM, thread blocks that share a multiprocessor (registers bound them); PARTS: attention_half.cuh.
#include "attention_rows.cuh"

// Shared memory: rows of keys, of values, of a block's queries; maxima, sums. The last queries' probabilities take the keys' place.
constexpr int kTailRows = 16, kKeysAt = 0, kValuesAt = kTiles * 1024, kQueriesAt = 2 * kValuesAt, kTailAt = kQueriesAt;
constexpr int kCodesAt = kKeysAt, kMaximaAt = kQueriesAt + 8192, kSumsAt = kMaximaAt + 256;
#include "attention_half.cuh"

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
      for (int i = 0; i < 16; ++i) x[i] = out[4 * (i / 2) + 2 * r + i % 2] * Here::last_factor(factor[r], p.out_scale);
      if (row + 8 * r < TOKENS) store_values(row_of(row + 8 * r) + quad_id() * 16, x);
    }
  }
  // The last queries, when the blocks are done.
  OCTET_DEVICE void attend_tail(const Query& query) const {
    float sum[2], x[2][4] = {};
    Tail tail(p, shared);
    query.store(shared + kQueriesAt, row_in_block());
    __syncthreads();
    tail.score();
    tail.exponentials(sum);
    tail.share_probabilities(sum);
    __syncthreads();
    tail.multiply_values(x);
#pragma unroll
    for (int r = 0; r < Tail::kHalves; ++r) {
      float y[4];
      for (int i = 0; i < 4; ++i) y[i] = x[i >> 1][2 * r + (i & 1)] * p.out_scale;
      const int row = group_id() + 8 * r;
      if (row < kTail) store_values(row_of(Tail::kFirst + row) + quad_id() * 16 + warp_id() * 4, y);
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
  const Work work(p, int(blockIdx.x));
  const Head h{p, p.q + work.token() * p.q_stride + work.column(), work.out(p), shared};

  wait_for_predecessor();
  Query query;
  {
    Rows keys, values;
    keys.load(p.k + work.token() * p.k_stride + work.column(), p.k_stride);
    values.load(p.v + work.token() * p.v_stride + work.column(), p.v_stride);
    h.load_query(query, work.begin * 64);
    keys.store(shared);
    values.store(shared + kValuesAt);
  }
  let_successor_start();
  attend_blocks<0>(h, query, work.begin, work.end);
  if (work.has_tail()) h.attend_tail(query);
}
