// Rows of one head on their way from memory to shared memory, as warpgroup products want them: 128 bytes of Half each, 16-byte chunks
// exchanged by (chunk ^ row % 8), and the 64 elements permuted so that lane t of a quad owns 16 that are neighbours in memory: position
// 8 * i + 2 * t holds elements 16 * t + 2 * i and the next. q and k agree, so scores do not change; the columns of out are those of v:
// every lane loads and stores 16 elements at a time.
#pragma once
#include "attention_lanes.cuh"

static_assert(HEAD_DIM == 64);
constexpr int kPairs = 8;                 // of the 16 elements that a lane owns of a row

// The 16 elements of a row that one lane owns, as they lie in memory.
struct Slice {
  static constexpr int kVectors = int(sizeof(IN));
  uint4 raw[kVectors];

  OCTET_DEVICE void load(const IN* from, bool valid) {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) raw[i] = valid ? reinterpret_cast<const uint4*>(from)[i] : make_uint4(0, 0, 0, 0);
  }
  // Elements 2 * i and 2 * i + 1 as two Half.
  OCTET_DEVICE uint32_t pair(int i) const {
    const auto word = [&](int w) {
      const uint4& x = raw[w / 4];
      return w % 4 == 0 ? x.x : w % 4 == 1 ? x.y : w % 4 == 2 ? x.z : x.w;
    };
    if constexpr (is_same<IN, e4m3>) return e4m3x2_to_f16x2(uint16_t(word(i / 2) >> (i % 2 * 16)));
    else return word(i);
  }
};

// A lane's 16 elements of a row to their places.
OCTET_DEVICE void put_slice(uint8_t* to, int row, int quad, const Slice& slice) {
#pragma unroll
  for (int pair = 0; pair < kPairs; ++pair)
    *reinterpret_cast<uint32_t*>(to + row * 128 + ((pair ^ (row & 7)) << 4) + quad * 4) = slice.pair(pair);
}

// kTiles * 8 rows of one head on their way from memory to shared memory, zeros past the last token.
struct Rows {
  static constexpr int kSteps = (kTiles + 3) / 4;
  Slice slices[kSteps];

  OCTET_DEVICE void load(const IN* from, int64_t stride) {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      const int row = i * 32 + threadIdx.x / 4;
      slices[i].load(from + row * stride + threadIdx.x % 4 * 16, i * 32 + 32 <= TOKENS || row < TOKENS);
    }
  }
  OCTET_DEVICE void store(uint8_t* to) const {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      const int row = i * 32 + threadIdx.x / 4;
      if (i * 32 + 32 <= kTiles * 8 || row < kTiles * 8) put_slice(to, row, threadIdx.x % 4, slices[i]);
    }
  }
};

// Rows `row` and row + 8: a lane's part of 16 queries.
struct Query {
  Slice rows[2];

  OCTET_DEVICE void load(const IN* from, int64_t stride, int row) {
    from += row * stride + quad_id() * 16;
    rows[0].load(from, row < TOKENS);
    rows[1].load(from + 8 * stride, row + 8 < TOKENS);
  }
  OCTET_DEVICE void store(uint8_t* to, int row) const {
    for (int r = 0; r < 2; ++r) put_slice(to, row + 8 * r, quad_id(), rows[r]);
  }
};
