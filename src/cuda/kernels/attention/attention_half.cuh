// Products of 16-bit rows for head_dim 64 (sm_90a): 64 queries at a time by the warpgroup, the last few of a head by mma.sync. Rows of 128
// bytes in shared memory, 16-byte chunks exchanged by (chunk ^ row % 8). The including kernel says where they lie, in bytes: kKeysAt,
// kValuesAt (kTiles * 8 rows each), kQueriesAt (64 rows), and of the tail kTail queries: kTailAt (kTailRows rows), kCodesAt (their p, kTailRows
// times kTailPitch), kMaximaAt and kSumsAt (4 * kTailRows floats each).
#pragma once
#include "attention_scores.cuh"
#include "attention_wgmma.cuh"
#include "attention_work.cuh"

constexpr int kGroups = (TOKENS + 15) / 16;  // of 16 keys
constexpr int kTailPitch = kGroups * 32 + 16;

// 64 queries from `first` on (16 of them this warp's), at kQueriesAt, with the first kCount tiles of keys and of values. PARTS: groups of
// products into which p * v is cut, each under way while the next one's p is made.
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
    const uint64_t queries = rows128(shared + kQueriesAt), keys = rows128(shared + kKeysAt + kFrom * 1024);
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
      load_matrices(b, shared + kKeysAt + kWide * 1024 + (lane & 7) * 128 + (((2 * k + (lane >> 3)) ^ (lane & 7)) << 4));
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
  // Of p that is not quantized the exponentials themselves, at most 1, are rounded, and the sums over values divided.
  OCTET_DEVICE uint32_t probabilities(int tile, int r, float factor) const {
    if constexpr (!QUANTIZE_P) return pack_probabilities(s[4 * tile + 2 * r], s[4 * tile + 2 * r + 1]);
    return pack_probabilities(s[4 * tile + 2 * r] * factor, s[4 * tile + 2 * r + 1] * factor);
  }
  OCTET_DEVICE static float last_factor(float factor, float out_scale) { return QUANTIZE_P ? out_scale : factor * out_scale; }
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

// The last kTail queries of a head. The warps share the keys, 16 at a time in turn; then each takes 16 columns of out. Of the operands'
// 16 rows only kTailRows lie in shared memory: the others are read as the last of them and give nothing that is kept.
struct Tail {
  static constexpr int kFirst = TOKENS - kTail, kMine = (kGroups + 3) / 4, kHalves = kTail > 8 ? 2 : 1;
  const AttentionParams& p;
  uint8_t* const shared;
  const uint32_t at;
  const int lane, warp, group, quad;
  float s[kMine][8];

  OCTET_DEVICE Tail(const AttentionParams& p, uint8_t* shared)
      : p(p), shared(shared), at(shared_address(shared)), lane(lane_id()), warp(warp_id()), group(group_id()), quad(quad_id()) {}

  // Of the last 16 keys the second 8 may not exist, and what lies there is on its way to somebody else: the first 8 are read in their place.
  OCTET_DEVICE static int existing(int key) { return kTiles % 2 == 0 || key < kTiles * 8 ? key : key - 8; }
  OCTET_DEVICE static int stored(int row) { return row < kTailRows ? row : kTailRows - 1; }
  OCTET_DEVICE float* slot(int from, int of_warp, int r) const {
    return reinterpret_cast<float*>(shared + from) + of_warp * kTailRows + stored(group + 8 * r);
  }
  // The four warps' values of a row, joined by `join`.
  template <class Join>
  OCTET_DEVICE void exchange(float (&x)[2], int from, Join join) const {
    for (int r = 0; r < kHalves; ++r)
      if (quad == 0 && group + 8 * r < kTailRows) *slot(from, warp, r) = x[r];
    __syncthreads();
    for (int r = 0; r < kHalves; ++r) x[r] = join(join(*slot(from, 0, r), *slot(from, 1, r)), join(*slot(from, 2, r), *slot(from, 3, r)));
  }

  OCTET_DEVICE void score() {
    uint32_t q[4][4];
    const int row = stored(lane & 15);
#pragma unroll
    for (int k = 0; k < 4; ++k) load_matrices(q[k], at + kTailAt + row * 128 + (((2 * k + (lane >> 4)) ^ (row & 7)) << 4));
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      const int sixteen = warp + 4 * i, key = existing(sixteen * 16 + (lane >> 4) * 8 + (lane & 7));
      float c[2][4] = {};
      if (sixteen < kGroups) {
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          uint32_t b[4];
          load_matrices(b, at + kKeysAt + key * 128 + (((2 * k + ((lane >> 3) & 1)) ^ (key & 7)) << 4));
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
    for (int r = 0; r < kHalves; ++r) {
      float m = minus_infinity();
#pragma unroll
      for (int i = 0; i < kMine; ++i) m = fmaxf(m, fmaxf(fmaxf(s[i][2 * r], s[i][2 * r + 1]), fmaxf(s[i][2 * r + 4], s[i][2 * r + 5])));
      most[r] = quad_max(m);
    }
    exchange(most, kMaximaAt, [](float a, float b) { return fmaxf(a, b); });
#pragma unroll
    for (int r = 0; r < kHalves; ++r) {
      sum[r] = 0;
#pragma unroll
      for (int i = 0; i < kMine; ++i)
#pragma unroll
        for (int e = 2 * r; e < 8; e += e & 1 ? 3 : 1) {
          s[i][e] = exp2_approx(fmaf(s[i][e], p.scale, -most[r] * p.scale));
          sum[r] += s[i][e];
        }
      sum[r] = quad_sum(sum[r]);
    }
    exchange(sum, kSumsAt, [](float a, float b) { return a + b; });
  }
  // Probabilities to kCodesAt, for the barrier that follows.
  OCTET_DEVICE void share_probabilities(const float (&sum)[2]) const {
#pragma unroll
    for (int r = 0; r < kHalves; ++r) {
      const float factor = factor_of(p, sum[r]);
#pragma unroll
      for (int i = 0; i < kMine; ++i) {
        const int sixteen = warp + 4 * i;
        if (sixteen >= kGroups) continue;
#pragma unroll
        for (int half = 0; half < 2; ++half)
          if (group + 8 * r < kTailRows)
            *reinterpret_cast<uint32_t*>(shared + kCodesAt + (group + 8 * r) * kTailPitch + (16 * sixteen + 8 * half + 2 * quad) * 2) =
              pack_probabilities(s[i][4 * half + 2 * r] * factor, s[i][4 * half + 2 * r + 1] * factor);
      }
    }
  }
  OCTET_DEVICE void multiply_values(float (&out)[2][4]) const {
    const uint32_t probabilities = at + kCodesAt + stored(lane & 15) * kTailPitch + (lane >> 4) * 16;
    const uint32_t chunk = ((2 * warp + (lane >> 4)) ^ (lane & 7)) << 4;
#pragma unroll
    for (int k = 0; k < kGroups; ++k) {
      uint32_t a[4], b[4];
      load_matrices(a, probabilities + 32 * k);
      load_matrices_transposed(b, at + kValuesAt + existing(16 * k + (lane & 15)) * 128 + chunk);
      if (2 * k + 1 == kTiles) b[1] = b[3] = 0;  // there are no such keys
      mma_16816<kBf16>(out[0], a, b[0], b[1]);
      mma_16816<kBf16>(out[1], a, b[2], b[3]);
    }
  }
};
