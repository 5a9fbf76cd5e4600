// GEMM on Hopper's warpgroup products (see gemm.h for the formula). One persistent block a multiprocessor: a producer warp keeps a ring
// of stages full by bulk tensor copies, two consumer warpgroups multiply and finish their outputs in registers. Blocks of a cluster
// share what they load. docs/kernels/cuda_gemm.md has the ladder and the reasons for the shapes.
//
// Defines: IN, OUT (types), COLS, DEPTH, ACTIVATION, RESIDUAL (0, 1), TILE_M, TILE_N, STAGES, CLUSTER_M, CLUSTER_N, PINGPONG, FULL_SUMS.
// PINGPONG 0: both warpgroups work on one tile, half of its rows each; 1: each has a tile of its own, and one multiplies while the
// other finishes. FULL_SUMS 1 (e4m3): the tensor cores' short sums are added up in f32 after every 128 products.
#include "gemm_epilogue.cuh"
#include "mma.cuh"
#include "wgmma.cuh"

struct alignas(64) Params {
  TensorMap a, b;
  uint64_t out, residual, alpha, bias, post;
  uint32_t m, tiles, backward;  // tiles: of the grid of clusters, CLUSTER_M x CLUSTER_N tiles each; backward: the last ones first
};

constexpr int kRowBytes = 128;  // of a stage: one swizzle row
constexpr int kColsPerStage = kRowBytes / int(sizeof(IN));
constexpr int kSteps = (DEPTH + kColsPerStage - 1) / kColsPerStage;
constexpr int kStageA = TILE_M * kRowBytes, kStageB = TILE_N * kRowBytes, kStage = kStageA + kStageB;
constexpr int kCluster = CLUSTER_M * CLUSTER_N;
constexpr int kColumnTiles = (COLS + TILE_N * CLUSTER_N - 1) / (TILE_N * CLUSTER_N);
constexpr int kGroups = PINGPONG ? TILE_M / 64 : TILE_M / 128;  // 64-row products of a warpgroup's part of a tile
constexpr int kSums = TILE_N / 2;                               // registers of one of them
constexpr int kConsumerWarps = PINGPONG ? 4 : 8;                // that read a stage
static_assert(!FULL_SUMS || kGroups == 1, "full sums need two sets of registers");
// The tile's part of alpha, bias and post lies in shared memory: a slot for the tile being finished, one for the tile being multiplied,
// and those that the producer can be ahead.
constexpr int kVectors = ACTIVATION ? 3 : 2, kSlots = 2 + (STAGES + kSteps - 1) / kSteps;
constexpr int kSlotBytes = kVectors * TILE_N * 4;

struct Ring {
  uint32_t stage = 0, phase = 0;
  OCTET_DEVICE void next() {
    if (++stage == STAGES) stage = 0, phase ^= 1;
  }
  OCTET_DEVICE void skip(uint32_t steps) {
    const uint32_t to = stage + steps;
    phase ^= (to / STAGES) & 1;
    stage = to % STAGES;
  }
};

// The tile of this block in tile number `index` of the grid of clusters. Column tiles run fastest: neighbours share rows of a.
struct Tile {
  uint32_t row, column;
  OCTET_DEVICE Tile(const Params& p, uint32_t index, uint32_t rank) : Tile(p.backward ? p.tiles - 1 - index : index, rank) {}

 private:
  OCTET_DEVICE Tile(uint32_t index, uint32_t rank)
      : row((index / kColumnTiles * CLUSTER_M + rank % CLUSTER_M) * TILE_M),
        column((index % kColumnTiles * CLUSTER_N + rank / CLUSTER_M) * TILE_N) {}
};

// Where this block keeps what: addresses in shared memory, and its place in the cluster.
struct Block {
  uint32_t stages, vectors, full, empty;
  uint32_t rank;
};

struct Producer {
  static constexpr int kRowsA = TILE_M / CLUSTER_N, kRowsB = TILE_N / CLUSTER_M;  // this block's share of what the cluster loads
  const Params& p;
  const Block& block;
  const uint32_t rank_m = block.rank % CLUSTER_M, rank_n = block.rank / CLUSTER_M;

  OCTET_DEVICE void load_a(const Ring& ring, const Tile& tile, int step) const {
    const uint32_t to = block.stages + ring.stage * kStage + rank_n * kRowsA * kRowBytes, barrier = block.full + 8 * ring.stage;
    const int32_t k = step * kColsPerStage, row = int32_t(tile.row + rank_n * kRowsA);
    if constexpr (CLUSTER_N > 1) {
      uint32_t same_rows = 0;
      for (int j = 0; j < CLUSTER_N; ++j) same_rows |= 1u << (rank_m + CLUSTER_M * j);
      copy_box_to_all(to, p.a, k, row, barrier, uint16_t(same_rows));
    } else {
      copy_box(to, p.a, k, row, barrier);
    }
  }
  OCTET_DEVICE void load_b(const Ring& ring, const Tile& tile, int step) const {
    const uint32_t to = block.stages + ring.stage * kStage + kStageA + rank_m * kRowsB * kRowBytes, barrier = block.full + 8 * ring.stage;
    const int32_t k = step * kColsPerStage, row = int32_t(tile.column + rank_m * kRowsB);
    if constexpr (CLUSTER_M > 1) copy_box_to_all(to, p.b, k, row, barrier, uint16_t(((1u << CLUSTER_M) - 1) << (rank_n * CLUSTER_M)));
    else copy_box(to, p.b, k, row, barrier);
  }
  // Opens the stage; its barrier also counts the tile's vectors on the first step.
  OCTET_DEVICE void open(const Ring& ring, const Tile& tile, int step, uint32_t slot) const {
    const uint32_t barrier = block.full + 8 * ring.stage;
    barrier_wait(block.empty + 8 * ring.stage, ring.phase ^ 1);
    barrier_expect(barrier, kStage + (step == 0 ? kSlotBytes : 0));
    if (step != 0) return;
    const uint64_t from = tile.column < COLS ? 4ull * tile.column : 0;  // a tile outside the matrix: anything
    const uint32_t to = block.vectors + slot * kSlotBytes;
    copy_bytes(to, p.alpha + from, TILE_N * 4, barrier);
    copy_bytes(to + TILE_N * 4, p.bias + from, TILE_N * 4, barrier);
    if constexpr (ACTIVATION != 0) copy_bytes(to + 2 * TILE_N * 4, p.post + from, TILE_N * 4, barrier);
  }
  OCTET_DEVICE void operator()() const {
    uint32_t index = blockIdx.x / kCluster, slot = 0;
    if (index >= p.tiles) return;
    // Weights and vectors are nobody's output: the first of them load while the predecessor still runs.
    constexpr int kEarly = kSteps < STAGES ? kSteps : STAGES;
    const Tile first(p, index, block.rank);
    Ring ring, early;
#pragma unroll 1
    for (int step = 0; step < kEarly; ++step, early.next()) open(early, first, step, 0), load_b(early, first, step);
    wait_for_predecessor();
#pragma unroll 1
    for (int step = 0; step < kEarly; ++step, ring.next()) load_a(ring, first, step);
#pragma unroll 1
    for (int step = kEarly; step < kSteps; ++step, ring.next()) load(ring, first, step, 0);
    for (index += gridDim.x / kCluster; index < p.tiles; index += gridDim.x / kCluster) {
      const Tile tile(p, index, block.rank);
      slot = slot + 1 == kSlots ? 0 : slot + 1;
#pragma unroll 1
      for (int step = 0; step < kSteps; ++step, ring.next()) load(ring, tile, step, slot);
    }
  }
  OCTET_DEVICE void load(const Ring& ring, const Tile& tile, int step, uint32_t slot) const {
    open(ring, tile, step, slot);
    load_a(ring, tile, step);
    load_b(ring, tile, step);
  }
};

// Tells every block that loads into this one that a stage here is free again.
OCTET_DEVICE void release(uint32_t empty, uint32_t rank) {
  const uint32_t lane = threadIdx.x % 32;
  if constexpr (kCluster == 1) {
    if (lane == 0) barrier_arrive(empty);
  } else {
    if (lane < kCluster && (lane % CLUSTER_M == rank % CLUSTER_M || lane / CLUSTER_M == rank / CLUSTER_M)) barrier_arrive_at(empty, lane);
  }
}

OCTET_DEVICE uint4 load16(uint64_t address) {
  uint4 v;
  asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(address) : "memory");
  return v;
}
OCTET_DEVICE void store16(uint64_t address, uint32_t x, uint32_t y, uint32_t z, uint32_t w) {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(address), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
OCTET_DEVICE float2 load_pair(uint64_t address) {
  float2 v;
  asm volatile("ld.global.v2.f32 {%0, %1}, [%2];" : "=f"(v.x), "=f"(v.y) : "l"(address) : "memory");
  return v;
}
OCTET_DEVICE float2 shared_pair(uint32_t address) {
  float2 v;
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(v.x), "=f"(v.y) : "r"(address));
  return v;
}

// Finishes the sums of one warpgroup's 64 rows. A thread holds two rows (lane / 4, and 8 below) and two columns in every 8. Four lanes
// hold a row: they exchange words so that each reads and writes 16 bytes at once.
struct Finish {
  static constexpr int kChunk = 16 / int(sizeof(OUT)) * 4;  // columns that four lanes write at once
  const Params& p;
  uint32_t row, column;  // this thread's first row; the tile's first column
  uint32_t vectors;      // the tile's slot
  uint4 old[RESIDUAL ? TILE_N / 32 : 1][2];

  OCTET_DEVICE Finish(const Params& params, uint32_t first_row, uint32_t first_column, uint32_t slot)
      : p(params), row(first_row), column(first_column), vectors(slot) {}

  OCTET_DEVICE uint64_t at(uint64_t base, uint32_t half, uint32_t col) const {
    return base + (uint64_t(row + half * 8) * COLS + col) * sizeof(OUT);
  }
  // Asks for the residual ahead of the products: nobody else writes these outputs.
  OCTET_DEVICE void prefetch() {
    if constexpr (RESIDUAL && sizeof(OUT) == 2) {
#pragma unroll
      for (int i = 0; i < TILE_N / 32; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          old[i][half] = make_uint4(0, 0, 0, 0);
          if (column + i * 32 < COLS && row + half * 8 < p.m)
            old[i][half] = load16(at(p.residual, half, column + i * 32 + threadIdx.x % 4 * 8));
        }
    }
  }
  OCTET_DEVICE static uint32_t pack(float2 v) {
    if constexpr (is_same<OUT, f16>) return f32_to_f16x2(v.x, v.y);
    else if constexpr (is_same<OUT, bf16>) return f32_to_bf16x2(v.x, v.y);
    else return f32_to_e4m3x2(v.x, v.y);
  }
  OCTET_DEVICE static float2 unpack(uint32_t v) {
    if constexpr (is_same<OUT, f16>) return f16x2_to_f32(v);
    else return bf16x2_to_f32(v);
  }

  // Both halves of 8 columns: f32 pairs before the residual.
  template <int BLOCK>
  OCTET_DEVICE void values(const float (&sums)[kSums], float2 (&v)[2]) const {
    const uint32_t pair = vectors + 4 * (BLOCK * 8 + threadIdx.x % 4 * 2);
    const float2 alpha = shared_pair(pair), bias = shared_pair(pair + TILE_N * 4);
    float2 post = make_float2(1, 1);
    if constexpr (ACTIVATION != 0) post = shared_pair(pair + 2 * TILE_N * 4);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      v[half].x = epilogue<ACTIVATION>(sums[BLOCK * 4 + half * 2], alpha.x, bias.x, post.x);
      v[half].y = epilogue<ACTIVATION>(sums[BLOCK * 4 + half * 2 + 1], alpha.y, bias.y, post.y);
    }
  }

  // 32 columns of 16-bit outputs.
  template <int GROUP>
  OCTET_DEVICE void group16(const float (&sums)[kSums]) const {
    uint32_t words[2][4], before[2][4];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if constexpr (RESIDUAL) {
        const uint4 v = old[GROUP][half];
        before[half][0] = v.x, before[half][1] = v.y, before[half][2] = v.z, before[half][3] = v.w;
        transpose4(before[half]);
      }
    }
    block16<GROUP * 4>(sums, words, before, 0);
    block16<GROUP * 4 + 1>(sums, words, before, 1);
    block16<GROUP * 4 + 2>(sums, words, before, 2);
    block16<GROUP * 4 + 3>(sums, words, before, 3);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t(&w)[4] = words[half];
      transpose4(w);
      if (row + half * 8 < p.m) store16(at(p.out, half, column + GROUP * 32 + threadIdx.x % 4 * 8), w[0], w[1], w[2], w[3]);
    }
  }
  template <int BLOCK>
  OCTET_DEVICE void block16(const float (&sums)[kSums], uint32_t (&words)[2][4], const uint32_t (&before)[2][4], int i) const {
    float2 v[2];
    values<BLOCK>(sums, v);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if constexpr (RESIDUAL) {
        const float2 r = unpack(before[half][i]);
        v[half].x += r.x, v[half].y += r.y;
      }
      words[half][i] = pack(v[half]);
    }
  }

  // 64 columns of codes: a word holds the pairs of two neighbouring 8-column blocks.
  template <int GROUP>
  OCTET_DEVICE void group8(const float (&sums)[kSums]) const {
    uint32_t words[2][4];
    block8<GROUP * 8>(sums, words, 0);
    block8<GROUP * 8 + 2>(sums, words, 1);
    block8<GROUP * 8 + 4>(sums, words, 2);
    block8<GROUP * 8 + 6>(sums, words, 3);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t(&w)[4] = words[half];
      transpose4(w);
      if (row + half * 8 < p.m)
        store16(at(p.out, half, column + GROUP * 64 + threadIdx.x % 4 * 16), __byte_perm(w[0], w[1], 0x5410),
                __byte_perm(w[2], w[3], 0x5410), __byte_perm(w[0], w[1], 0x7632), __byte_perm(w[2], w[3], 0x7632));
    }
  }
  template <int BLOCK>
  OCTET_DEVICE void block8(const float (&sums)[kSums], uint32_t (&words)[2][4], int i) const {
    float2 low[2], high[2];
    values<BLOCK>(sums, low);
    values<BLOCK + 1>(sums, high);
#pragma unroll
    for (int half = 0; half < 2; ++half) words[half][i] = pack(low[half]) | pack(high[half]) << 16;
  }

  // 16 columns of f32 outputs: four lanes write 32 bytes.
  template <int BLOCK>
  OCTET_DEVICE void block32(const float (&sums)[kSums]) const {
    float2 v[2];
    values<BLOCK>(sums, v);
    const uint32_t col = column + BLOCK * 8 + threadIdx.x % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (row + half * 8 >= p.m) continue;
      if constexpr (RESIDUAL) {
        const float2 r = load_pair(at(p.residual, half, col));
        v[half].x += r.x, v[half].y += r.y;
      }
      asm volatile("st.global.v2.f32 [%0], {%1, %2};" ::"l"(at(p.out, half, col)), "f"(v[half].x), "f"(v[half].y) : "memory");
    }
  }

  template <int CHUNK = 0>
  OCTET_DEVICE void operator()(const float (&sums)[kSums]) const {
    if (column + CHUNK * kChunk < COLS) {
      if constexpr (is_same<OUT, f32>) block32<2 * CHUNK>(sums), block32<2 * CHUNK + 1>(sums);
      else if constexpr (is_same<OUT, e4m3>) group8<CHUNK>(sums);
      else group16<CHUNK>(sums);
    }
    if constexpr ((CHUNK + 1) * kChunk < TILE_N) operator()<CHUNK + 1>(sums);
  }
};

// All products of one stage.
OCTET_DEVICE void multiply(float (&sums)[kGroups][kSums], uint32_t a, uint32_t b, uint32_t add) {
#pragma unroll
  for (int k = 0; k < kRowBytes / 32; ++k)
#pragma unroll
    for (int group = 0; group < kGroups; ++group)
      wgmma<IN>(sums[group], operand(a + group * 64 * kRowBytes + k * 32), operand(b + k * 32), add | k);
}

// Ping-pong: a warpgroup multiplies only in its turn. It could not tell a stage filled for it from one of the ring's round before.
OCTET_DEVICE void wait_for_turn(uint32_t warpgroup) {
  if constexpr (PINGPONG) asm volatile("bar.sync %0, 256;" ::"r"(1 + warpgroup) : "memory");
}
OCTET_DEVICE void give_turn(uint32_t warpgroup) {
  if constexpr (PINGPONG) asm volatile("bar.arrive %0, 256;" ::"r"(1 + warpgroup) : "memory");
}

OCTET_DEVICE void consume(const Params& p, const Block& block, uint32_t warpgroup) {
  const uint32_t part = PINGPONG ? 0 : warpgroup * kGroups * 64;  // first row of this warpgroup's part of the tile
  const uint32_t clusters = gridDim.x / kCluster;
  uint32_t index = blockIdx.x / kCluster, slot = 0;
  Ring ring;
  if (PINGPONG && warpgroup == 1) ring.skip(kSteps), index += clusters, slot = 1, give_turn(0);
  for (; index < p.tiles; index += (PINGPONG ? 2 : 1) * clusters) {
    const Tile tile(p, index, block.rank);
    const uint32_t row = tile.row + part + threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4, vectors = block.vectors + slot * kSlotBytes;
    Finish finish[] = {Finish(p, row, tile.column, vectors), Finish(p, row + 64, tile.column, vectors)};
    finish[0].prefetch();
    float sums[kGroups][kSums];
#if FULL_SUMS
    float short_sums[kGroups][kSums];
#pragma unroll
    for (int i = 0; i < kSums; ++i) sums[0][i] = 0;
#else
    uint32_t last = 0;
#endif
    wait_for_turn(warpgroup);
    for (int step = 0; step < kSteps; ++step, ring.next()) {
      barrier_wait(block.full + 8 * ring.stage, ring.phase);
      const uint32_t a = block.stages + ring.stage * kStage + part * kRowBytes, b = block.stages + ring.stage * kStage + kStageA;
      wgmma_begin();
#if FULL_SUMS
      multiply(short_sums, a, b, 0);
      wgmma_commit();
      wgmma_wait<0>();
      release(block.empty + 8 * ring.stage, block.rank);
      wgmma_results<0, kSums>(short_sums[0]);
#pragma unroll
      for (int i = 0; i < kSums; ++i) sums[0][i] += short_sums[0][i];
#else
      multiply(sums, a, b, step);
      wgmma_commit();
      wgmma_wait<1>();  // the stage before this one has been read
      if (step > 0) release(block.empty + 8 * last, block.rank);
      last = ring.stage;
#endif
    }
    give_turn(warpgroup ^ 1);
    if constexpr (kGroups > 1) finish[1].prefetch();  // earlier, its registers would spill
#if !FULL_SUMS
    wgmma_wait<0>();
    release(block.empty + 8 * last, block.rank);
#pragma unroll
    for (int group = 0; group < kGroups; ++group) wgmma_results<0, kSums>(sums[group]);
#endif
#pragma unroll
    for (int group = 0; group < kGroups; ++group) finish[group](sums[group]);
    if (PINGPONG) ring.skip(kSteps);
    slot = (slot + (PINGPONG ? 2 : 1)) % kSlots;
  }
  if (PINGPONG && index - clusters < p.tiles) wait_for_turn(warpgroup);  // the turn after the last tile: nothing stays pending
}

extern "C" __global__ void __launch_bounds__(384, 1) gemm_wgmma(const __grid_constant__ Params p) {
  extern __shared__ uint8_t memory[];
  __shared__ alignas(16) uint8_t vectors[kSlots * kSlotBytes];
  __shared__ alignas(8) uint64_t full_barriers[STAGES], empty_barriers[STAGES];
  const Block block{(shared_address(memory) + 1023) & ~1023u,  // the swizzle counts from multiples of 1024
                    shared_address(vectors), shared_address(full_barriers), shared_address(empty_barriers),
                    kCluster > 1 ? cluster_rank() : 0};
  if (threadIdx.x == 0) {
    prefetch_map(p.a);
    prefetch_map(p.b);
    for (int i = 0; i < STAGES; ++i) {
      barrier_init(block.full + 8 * i, 1);
      barrier_init(block.empty + 8 * i, kConsumerWarps * (CLUSTER_M + CLUSTER_N - 1));
    }
    barrier_init_done();
  }
  if constexpr (kCluster > 1) cluster_sync();
  else __syncthreads();
  let_successor_start();

  const uint32_t warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);  // the compiler sees one value a warp
  if (warpgroup == 2) {
    registers_down<40>();
    if (__shfl_sync(~0u, threadIdx.x / 32, 0) == 8 && elected()) Producer{p, block}();
  } else {
    registers_up<232>();
    wait_for_predecessor();
    consume(p, block, warpgroup);
  }
  if constexpr (kCluster > 1) cluster_sync();  // no block leaves while another may still write to it or wake it
}
