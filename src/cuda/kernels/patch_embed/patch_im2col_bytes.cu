// patch_im2col of a picture of bytes [H, W, C]: out[b * patches + patch, k] = table[c, pixels[b, y, x, c]], k over [C, P, P] and zeros up
// to PADDED. A block for a band of patches next to each other, whose lines are one piece of memory; the table lies in shared memory.
// Defines: IN (of the table and the rows), CHANNELS, WIDTH, PATCH, PADDED.
#include "vectors.cuh"

struct Params {
  const uint8_t* pixels;
  IN* patches;
  const IN* table;
  int32_t aligned;  // bands may be read 16 bytes at a time
};

constexpr int kAcross = WIDTH / PATCH, kDepth = CHANNELS * PATCH * PATCH;
constexpr int kBand = PATCH * WIDTH * CHANNELS, kTable = CHANNELS * 256;  // bytes; elements
constexpr int kThreads = 256;

OCTET_DEVICE void load_band(const Params& p, uint8_t* band) {
  const uint8_t* from = p.pixels + int64_t(blockIdx.x) * kBand;
  if (kBand % 16 == 0 && p.aligned) {
    for (int i = int(threadIdx.x) * 16; i < kBand; i += kThreads * 16) *reinterpret_cast<uint4*>(band + i) = load_once(from + i);
  } else {
    for (int i = int(threadIdx.x); i < kBand; i += kThreads) band[i] = from[i];
  }
}

// Where the elements of one vector of a patch lie in the band, and their channels' tables: the same for every patch, but for its own place.
struct Gather {
  int place[kVector], channel[kVector];  // place -1: padding

  OCTET_DEVICE explicit Gather(int k) {
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      const int c = (k + i) / (PATCH * PATCH), rest = (k + i) % (PATCH * PATCH);
      place[i] = k + i < kDepth ? (rest / PATCH * WIDTH + rest % PATCH) * CHANNELS + c : -1;
      channel[i] = c * 256;
    }
  }
  OCTET_DEVICE void copy(const uint8_t* patch, const IN* table, IN* to) const {
    constexpr int kWords = Packed<IN>::kWords, kPerWord = 4 / int(sizeof(IN));
    uint32_t words[kWords];
#pragma unroll
    for (int word = 0; word < kWords; ++word) {
      words[word] = 0;
#pragma unroll
      for (int half = 0; half < kPerWord; ++half) {
        const int i = word * kPerWord + half;
        if (place[i] >= 0) words[word] |= bits_of(table[channel[i] + patch[place[i]]]) << (16 * half);
      }
    }
#pragma unroll
    for (int word = 0; word < kWords; word += 4)
      store_together(to + word * kPerWord, make_uint4(words[word], words[word + 1], words[word + 2], words[word + 3]));
  }
};

extern "C" __global__ void __launch_bounds__(kThreads) patch_im2col_bytes(const __grid_constant__ Params p) {
  extern __shared__ uint4 shared[];
  IN* table = reinterpret_cast<IN*>(shared);
  uint8_t* band = reinterpret_cast<uint8_t*>(table + kTable);
  for (int i = int(threadIdx.x); i < kTable; i += kThreads) table[i] = p.table[i];  // a weight: no predecessor writes it
  wait_for_predecessor();
  let_successor_start();
  load_band(p, band);
  __syncthreads();
  // A thread takes one vector of every kGroups-th patch: it finds out once where that lies.
  constexpr int kVectors = PADDED / kVector, kTogether = kVectors < kThreads ? kVectors : kThreads, kGroups = kThreads / kTogether;
  IN* out = p.patches + int64_t(blockIdx.x) * kAcross * PADDED;
  const int group = int(threadIdx.x) / kTogether;
  if (group >= kGroups) return;
  for (int vector = int(threadIdx.x) % kTogether; vector < kVectors; vector += kTogether) {
    const Gather gather(vector * kVector);
#pragma unroll 2
    for (int patch = group; patch < kAcross; patch += kGroups)
      gather.copy(band + patch * PATCH * CHANNELS, table, out + int64_t(patch) * PADDED + vector * kVector);
  }
}
