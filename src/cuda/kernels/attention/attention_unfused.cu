// Attention in three launches, the scores of all heads in device memory: see attention_unfused.h. Both products take 64 queries of one
// head a block, 16 a warp, by mma.sync; tiles come by cp.async, the next one while this one is multiplied. q, k, v and p lie in rows
// that begin at multiples of 16 bytes. Defines: IN (f16, bf16), OUT, TOKENS, HEADS, HEAD_DIM, CAUSAL, QUANTIZE_P (0); SCORE (the type that
// scores are stored in), STEPS: 0: one step of the plan, weights in the place of the scores and scores times log2(e); 1: three steps
// (attention_steps.h), each with its own output, where keys that a query does not see are zeros.
#include "attention.cuh"
#include "mma.cuh"
#include "vectors.cuh"

struct Params {
  const IN *q, *k, *v;
  OUT* out;
  SCORE* scores;  // rows of kPitch
  IN* weights;    // rows of kWeightPitch; without STEPS the first halves of the rows of scores
  int64_t q_stride, k_stride, v_stride, rows;
  float scale, out_scale;
};

constexpr int kTile = 64, kWarps = 4, kThreads = 32 * kWarps, kTiles = (TOKENS + kTile - 1) / kTile;
constexpr int kPitch = (TOKENS + 7) / 8 * 8, kWeightPitch = STEPS ? kPitch : 2 * kPitch;
static_assert(STEPS || sizeof(SCORE) == 2 * sizeof(IN), "weights take the first halves of the scores' rows");
constexpr int kDim = (HEAD_DIM + 15) / 16 * 16, kDimPitch = kDim * 2 + 16, kKeyPitch = kTile * 2 + 16;  // bytes of a shared row
constexpr float kLowest = -3e38f;  // finite: subtracted from itself it gives 0

// kCols (a multiple of 8) columns from `column` on of rows [first, first + 64); zeros past `rows` and `columns`.
template <int kCols>
OCTET_DEVICE void copy_tile(uint32_t to, const IN* from, int64_t stride, int first, int rows, int column, int columns) {
  for (int i = int(threadIdx.x); i < kTile * kCols / 8; i += kThreads) {
    const int row = i / (kCols / 8), col = i % (kCols / 8) * 8;
    const bool inside = first + row < rows && column + col < columns;
    const IN* const source = from + (inside ? (first + row) * stride + column + col : 0);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to + row * (kCols * 2 + 16) + col * 2), "l"(source),
                 "r"(inside ? 16 : 0)
                 : "memory");
  }
}
OCTET_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kPending>
OCTET_DEVICE void await_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// What a block works on.
struct Place {
  int block, head, lane, warp, row;  // row: the first of this warp's 16
  int64_t item;
  OCTET_DEVICE Place()
      : block(int(blockIdx.x % kTiles)),
        head(int(blockIdx.x / kTiles % HEADS)),
        lane(int(threadIdx.x & 31)),
        warp(int(threadIdx.x >> 5)),
        row(block * kTile + warp * 16),
        item(blockIdx.x / (kTiles * HEADS)) {}
  OCTET_DEVICE int64_t first_row() const { return (item * HEADS + head) * TOKENS; }  // of this head's scores
  // The end of the keys that any of the block's queries sees.
  OCTET_DEVICE int keys() const { return CAUSAL && (block + 1) * kTile < TOKENS ? (block + 1) * kTile : TOKENS; }
  OCTET_DEVICE static int seen(int query) { return CAUSAL ? query + 1 : TOKENS; }
  OCTET_DEVICE const IN* of(const IN* base, int64_t stride) const { return base + item * TOKENS * stride + head * HEAD_DIM; }
};

OCTET_DEVICE void store_four(SCORE* to, const float (&v)[4]) {
  if constexpr (is_same<SCORE, float>) *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
  else if constexpr (is_same<SCORE, f16>) *reinterpret_cast<uint2*>(to) = make_uint2(f32_to_f16x2(v[0], v[1]), f32_to_f16x2(v[2], v[3]));
  else *reinterpret_cast<uint2*>(to) = make_uint2(f32_to_bf16x2(v[0], v[1]), f32_to_bf16x2(v[2], v[3]));
}

// Lane 4g + t has columns 2t and 2t + 1 of rows g and g + 8. Even lanes take 4 columns of row g, odd ones of row g + 8.
OCTET_DEVICE void store_scores(const Params& p, const Place& at, const float (&s)[kTile / 8][4], int first) {
  const bool odd = at.lane & 1;
  const int row = at.row + (at.lane >> 2) + (odd ? 8 : 0);
  SCORE* const to = p.scores + (at.first_row() + row) * kPitch;
#pragma unroll
  for (int j = 0; j < kTile / 8; ++j) {
    const float x = __shfl_xor_sync(~0u, odd ? s[j][0] : s[j][2], 1), y = __shfl_xor_sync(~0u, odd ? s[j][1] : s[j][3], 1);
    float four[4] = {odd ? x : s[j][0], odd ? y : s[j][1], odd ? s[j][2] : x, odd ? s[j][3] : y};
    const int column = first + j * 8 + (at.lane & 2) * 2;
#pragma unroll
    for (int i = 0; i < 4; ++i) four[i] = !STEPS || column + i < Place::seen(row) ? four[i] * p.scale : 0.0f;
    if (row < TOKENS && column < kPitch) store_four(to + column, four);
  }
}
// Zeros in the columns behind the last tile of keys that the block sees.
OCTET_DEVICE void clear_unseen(const Params& p, const Place& at) {
  const int begin = (at.keys() + kTile - 1) / kTile * kTile, columns = (kPitch - begin) / 4;
  if (columns <= 0) return;
  for (int i = int(threadIdx.x); i < kTile * columns; i += kThreads) {
    const int row = at.block * kTile + i / columns;
    if (row < TOKENS) store_four(p.scores + (at.first_row() + row) * kPitch + begin + i % columns * 4, {0, 0, 0, 0});
  }
}

extern "C" __global__ void __launch_bounds__(kThreads) attention_unfused_scores(const __grid_constant__ Params p) {
  extern __shared__ uint4 shared[];
  constexpr int kStage = kTile * kDimPitch;
  const uint32_t queries = shared_address(shared), keys = queries + kStage;
  const Place at;
  const IN *const q_rows = at.of(p.q, p.q_stride), *const k_rows = at.of(p.k, p.k_stride);
  wait_for_predecessor();
  let_successor_start();
  copy_tile<kDim>(queries, q_rows, p.q_stride, at.block * kTile, TOKENS, 0, HEAD_DIM);
  copy_tile<kDim>(keys, k_rows, p.k_stride, 0, TOKENS, 0, HEAD_DIM);
  commit_copies();

  uint32_t q[kDim / 16][4];
  for (int first = 0, stage = 0; first < at.keys(); first += kTile, stage ^= 1) {
    if (first + kTile < at.keys()) copy_tile<kDim>(keys + (stage ^ 1) * kStage, k_rows, p.k_stride, first + kTile, TOKENS, 0, HEAD_DIM);
    commit_copies();
    await_copies<1>();
    __syncthreads();
    if (first == 0) {
#pragma unroll
      for (int k = 0; k < kDim / 16; ++k)
        load_matrices(q[k], queries + (at.warp * 16 + (at.lane & 15)) * kDimPitch + (at.lane >> 4) * 16 + k * 32);
    }
    if (at.row < TOKENS) {
      float s[kTile / 8][4] = {};
      const uint32_t mine = keys + stage * kStage + ((at.lane >> 4) * 8 + (at.lane & 7)) * kDimPitch + ((at.lane >> 3) & 1) * 16;
#pragma unroll
      for (int j = 0; j < kTile / 8; j += 2)
#pragma unroll
        for (int k = 0; k < kDim / 16; ++k) {
          uint32_t b[4];
          load_matrices(b, mine + j * 8 * kDimPitch + k * 32);
          mma_16816<kBf16>(s[j], q[k], b[0], b[1]);
          mma_16816<kBf16>(s[j + 1], q[k], b[2], b[3]);
        }
      store_scores(p, at, s, first);
    }
    __syncthreads();
  }
  if (STEPS) clear_unseen(p, at);
}

// A warp for a row, which stays in registers; what lies past the row's last key is not read, and written as zeros up to kPitch.
extern "C" __global__ void __launch_bounds__(256) attention_unfused_softmax(const __grid_constant__ Params p) {
  constexpr int kTurns = (kPitch / kVector + 31) / 32;
  const int64_t row = int64_t(blockIdx.x) * 8 + threadIdx.x / 32;
  const int lane = int(threadIdx.x % 32), keys = CAUSAL ? int(row % TOKENS) + 1 : TOKENS;
  wait_for_predecessor();
  let_successor_start();
  if (row >= p.rows) return;
  const SCORE* const from = p.scores + row * kPitch;
  IN* const to = p.weights + row * kWeightPitch;
  constexpr float kLog2e = 1.44269504f;

  Packed<SCORE> packed[kTurns];
#pragma unroll
  for (int t = 0; t < kTurns; ++t) {
    const int column = (t * 32 + lane) * kVector;
    if (column < keys) packed[t] = Packed<SCORE>::load(from + column);
  }
  float v[kTurns][kVector], most = kLowest, sum = 0;
#pragma unroll
  for (int t = 0; t < kTurns; ++t) {
    const int column = (t * 32 + lane) * kVector;
    packed[t].decode(v[t]);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      v[t][i] = column + i >= keys ? minus_infinity() : STEPS ? v[t][i] * kLog2e : v[t][i];
      most = fmaxf(most, v[t][i]);
    }
  }
  for (int distance = 16; distance > 0; distance /= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, distance));
#pragma unroll
  for (int t = 0; t < kTurns; ++t) {
#pragma unroll
    for (int i = 0; i < kVector; ++i) v[t][i] = exp2_approx(v[t][i] - most);
    sum += sum_of_vector(v[t]);
  }
  // Every lane has read its part of the row by now: it may be overwritten.
  const float inverse = (STEPS ? p.out_scale : 1.0f) / sum_of_warp(sum);
#pragma unroll
  for (int t = 0; t < kTurns; ++t) {
    const int column = (t * 32 + lane) * kVector;
    if (column >= kPitch) continue;
#pragma unroll
    for (int i = 0; i < kVector; ++i) v[t][i] *= inverse;
    Packed<IN>::encode(v[t]).store(to + column);
  }
}

OCTET_DEVICE void store_out(const Params& p, const Place& at, const float (&out)[kDim / 8][4]) {
  OUT* const to = p.out + at.item * TOKENS * (HEADS * HEAD_DIM) + at.head * HEAD_DIM + (at.lane & 3) * 2;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = at.row + (at.lane >> 2) + 8 * r;
    if (row >= TOKENS) continue;
#pragma unroll
    for (int d = 0; d < HEAD_DIM / 8; ++d)
      store_pair(to + int64_t(row) * (HEADS * HEAD_DIM) + d * 8, out[d][2 * r] * p.out_scale, out[d][2 * r + 1] * p.out_scale);
  }
}

// The weights of keys that a query does not see are not to count, whatever they are. a[j]: rows g and g + 8, then the same 8 columns on.
OCTET_DEVICE void hide_unseen(const Place& at, int first, uint32_t (&a)[4]) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int left = Place::seen(at.row + (at.lane >> 2) + (j & 1) * 8) - (first + (at.lane & 3) * 2 + (j >> 1) * 8);
    a[j] &= left >= 2 ? ~0u : left == 1 ? 0xffffu : 0u;
  }
}

extern "C" __global__ void __launch_bounds__(kThreads) attention_unfused_values(const __grid_constant__ Params p) {
  extern __shared__ uint4 shared[];
  constexpr int kStage = kTile * (kKeyPitch + kDimPitch);
  const Place at;
  const IN* const p_rows = p.weights + at.first_row() * kWeightPitch;
  const IN* const v_rows = at.of(p.v, p.v_stride);
  const uint32_t stages = shared_address(shared);
  wait_for_predecessor();
  let_successor_start();
  copy_tile<kTile>(stages, p_rows, kWeightPitch, at.block * kTile, TOKENS, 0, kPitch);
  copy_tile<kDim>(stages + kTile * kKeyPitch, v_rows, p.v_stride, 0, TOKENS, 0, HEAD_DIM);
  commit_copies();

  float out[kDim / 8][4] = {};
  for (int first = 0, stage = 0; first < at.keys(); first += kTile, stage ^= 1) {
    const uint32_t now = stages + stage * kStage, next = stages + (stage ^ 1) * kStage;
    if (first + kTile < at.keys()) {
      copy_tile<kTile>(next, p_rows, kWeightPitch, at.block * kTile, TOKENS, first + kTile, kPitch);
      copy_tile<kDim>(next + kTile * kKeyPitch, v_rows, p.v_stride, first + kTile, TOKENS, 0, HEAD_DIM);
    }
    commit_copies();
    await_copies<1>();
    __syncthreads();
    if (at.row < TOKENS) {
      const uint32_t mine = now + (at.warp * 16 + (at.lane & 15)) * kKeyPitch + (at.lane >> 4) * 16,
                     values = now + kTile * kKeyPitch + (at.lane & 15) * kDimPitch + (at.lane >> 4) * 16;
#pragma unroll
      for (int k = 0; k < kTile / 16; ++k) {
        uint32_t a[4];
        load_matrices(a, mine + k * 32);
        if (STEPS && first + kTile > Place::seen(at.row)) hide_unseen(at, first + k * 16, a);
#pragma unroll
        for (int d = 0; d < kDim / 8; d += 2) {
          uint32_t b[4];
          load_matrices_transposed(b, values + k * 16 * kDimPitch + d * 16);
          mma_16816<kBf16>(out[d], a, b[0], b[1]);
          mma_16816<kBf16>(out[d + 1], a, b[2], b[3]);
        }
      }
    }
    __syncthreads();
  }
  if (at.row < TOKENS) store_out(p, at, out);
}
