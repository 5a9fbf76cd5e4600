// Attention by warpgroup products (sm_90a) for head_dim 64 and 17 to 264 tokens of f16 or bf16. A block of one warpgroup stays and takes head
// after head; rows are copied as they lie. 64 queries at a time keep their whole rows of scores in registers, so every row's sum is known
// before p is divided by it and rounded. What is copied next is asked for as soon as its place is free: a block's queries when its
// scores are made, the next head's keys after the last of them, its values after the last product. The queries left over make their
// scores first, when the keys are there, and meet the values last. Next: attention_half.cuh, attention_work.cuh.
//
// Besides what attention.cuh says: BLOCKS_PER_SM, thread blocks that share a multiprocessor; SHARED_BYTES; PARTS: attention_half.cuh.
#include "attention_work.cuh"

static_assert(sizeof(IN) == 2);
// Shared memory, in bytes. Three blocks at 257 tokens leave nothing over: of the tail lie there only the rows that exist.
constexpr int kTailRows = kTail, kKeysAt = 0, kValuesAt = kTiles * 1024, kQueriesAt = 2 * kValuesAt, kTailAt = kQueriesAt + 8192;
constexpr int kCodesAt = kTailAt + kTail * 128, kMaximaAt = kCodesAt + kTail * ((TOKENS + 15) / 16 * 32 + 16), kSumsAt = kMaximaAt + 16 * kTail;
constexpr int kIndexAt = kSumsAt + 16 * kTail;
static_assert(kIndexAt + 16 == SHARED_BYTES);
#include "attention_ask.cuh"
#include "attention_half.cuh"

OCTET_DEVICE void ask_values(const AttentionParams& p, const Work& work, uint32_t shared) {
  copy_rows<TOKENS>(shared + kValuesAt, p.v, p.v_stride, work, 0, TOKENS);
}

// A lane has two neighbours of every 8 columns; the four lanes of a row exchange words so that each stores 16 bytes.
OCTET_DEVICE void store_row(bool exists, OUT* to, const float (&out)[32], int r, float scale) {
  const auto value = [&](int tile, int e) { return out[4 * tile + 2 * r + e] * scale; };
  if constexpr (is_same<OUT, f32>) {
#pragma unroll
    for (int tile = 0; tile < 8; ++tile)
      if (exists) store_pair(to + 8 * tile + 2 * quad_id(), value(tile, 0), value(tile, 1));
    return;
  }
  constexpr int kTilesAWord = is_same<OUT, e4m3> ? 2 : 1, kStep = 4 * kTilesAWord;
#pragma unroll
  for (int from = 0; from < 8; from += kStep) {
    uint32_t w[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int tile = from + kTilesAWord * i;
      if constexpr (is_same<OUT, f16>) w[i] = f32_to_f16x2(value(tile, 0), value(tile, 1));
      else if constexpr (is_same<OUT, bf16>) w[i] = f32_to_bf16x2(value(tile, 0), value(tile, 1));
      else w[i] = f32_to_e4m3x2(value(tile, 0), value(tile, 1)) | uint32_t(f32_to_e4m3x2(value(tile + 1, 0), value(tile + 1, 1))) << 16;
    }
    transpose4(w);
    uint4 v = make_uint4(w[0], w[1], w[2], w[3]);
    if constexpr (is_same<OUT, e4m3>)
      v = make_uint4(__byte_perm(w[0], w[1], 0x5410), __byte_perm(w[2], w[3], 0x5410), __byte_perm(w[0], w[1], 0x7632),
                     __byte_perm(w[2], w[3], 0x7632));
    if (exists) reinterpret_cast<uint4*>(to)[from / kStep * 4 + quad_id()] = v;
  }
}

// Which piece of work is under way. Scores fill the registers: what else is needed beside them is found anew from this.
OCTET_DEVICE int index_of(uint32_t at) {
  int index;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(index) : "r"(at + kIndexAt) : "memory");
  return index;
}
OCTET_DEVICE void ask_next(const AttentionParams& p, int block, uint32_t at) {
  const int index = index_of(at), next = index + int(gridDim.x);
  const Work work(p, index);
  if (block + 1 < work.end) ask_queries(p, work, at, block + 1);
  else if (next < p.works) ask_keys(p, Work(p, next), at);
  end_group();
}

template <int kCount>
OCTET_DEVICE void attend(const AttentionParams& p, int block, bool first, uint32_t at) {
  using Here = Block<kCount>;
  if (!first) wait_for_groups<0>();
  Here here(block * 64);
  here.score(at);
  __syncthreads();  // queries, and keys if this is the last block, have been read
  ask_next(p, block, at);
  here.exponentials(p.scale);
  const float factor[2] = {factor_of(p, here.sum(0)), factor_of(p, here.sum(1))};
  uint32_t last_probabilities[2];
  if constexpr (kCount > Here::kWide)
    for (int r = 0; r < 2; ++r) last_probabilities[r] = here.probabilities(Here::kWide, r, factor[r]);
  if (first) wait_for_groups<1>();  // the values
  float out[32];
  here.template multiply_values<0>(out, factor, at);
  wgmma_wait<0>();
  wgmma_results<0, 32>(out);
  if constexpr (kCount > Here::kWide) here.multiply_last_values(out, last_probabilities, at);
  const int row = here.row();
  OUT* const to = Work(p, index_of(at)).out(p);
#pragma unroll
  for (int r = 0; r < 2; ++r)
    store_row(row + 8 * r < TOKENS, to + int64_t(row + 8 * r) * (HEADS * HEAD_DIM), out, r, Here::last_factor(factor[r], p.out_scale));
}
// The blocks of 64 queries of `work`. Causal ones differ in their keys: code for each, from kBlock on; others are one loop.
template <int kBlock>
OCTET_DEVICE void attend_blocks(const AttentionParams& p, int begin, int end, uint32_t at) {
  if constexpr (!CAUSAL) {
#pragma unroll 1
    for (int block = begin; block < end; ++block) attend<kTiles>(p, block, block == begin, at);
  } else if constexpr (kBlock < kBlocks) {
    if (begin <= kBlock && kBlock < end) attend<(8 * kBlock + 8 < kTiles ? 8 * kBlock + 8 : kTiles)>(p, kBlock, kBlock == begin, at);
    attend_blocks<kBlock + 1>(p, begin, end, at);
  }
}

OCTET_DEVICE void attend_tail_keys(const AttentionParams& p, uint8_t* shared) {
  float sum[2];
  Tail tail(p, shared);
  tail.score();
  tail.exponentials(sum);
  tail.share_probabilities(sum);
}
OCTET_DEVICE void attend_tail_values(const AttentionParams& p, const Work& work, uint8_t* shared) {
  float out[2][4] = {};
  const Tail tail(p, shared);
  tail.multiply_values(out);
#pragma unroll
  for (int r = 0; r < Tail::kHalves; ++r) {
    const int row = tail.group + 8 * r;
    if (row >= kTail) continue;
    OUT* const to = work.out(p) + int64_t(Tail::kFirst + row) * (HEADS * HEAD_DIM) + tail.warp * 16 + tail.quad * 2;
#pragma unroll
    for (int i = 0; i < 2; ++i) store_pair(to + 8 * i, out[i][2 * r] * p.out_scale, out[i][2 * r + 1] * p.out_scale);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads, BLOCKS_PER_SM) attention_wgmma_half(const __grid_constant__ AttentionParams p) {
  extern __shared__ __align__(1024) uint8_t shared[];
  const uint32_t at = shared_address(shared);
  clear(shared, kKeysAt + TOKENS * 128, kValuesAt);
  clear(shared, kValuesAt + TOKENS * 128, kQueriesAt);
  wait_for_predecessor();
  ask_keys(p, Work(p, int(blockIdx.x)), at);
  end_group();
  int index = int(blockIdx.x);
#pragma unroll 1
  do {
    const Work work(p, index);
    ask_values(p, work, at);
    end_group();
    if (thread_id() == 0) *reinterpret_cast<int*>(shared + kIndexAt) = index;
    if (index + int(gridDim.x) >= p.works) let_successor_start();
    wait_for_groups<1>();  // keys and queries
    if (work.has_tail()) attend_tail_keys(p, shared);
    attend_blocks<0>(p, work.begin, work.end, at);
    index = index_of(at);
    const Work done(p, index);
    if (done.has_tail()) attend_tail_values(p, done, shared);
    __syncthreads();  // values have been read
    index += int(gridDim.x);
  } while (index < p.works);
}
