// Patch embedding of any types in one launch: a block for 64 tokens of all items x 64 columns. The class token's row is a patch of
// zeros. Defines: IN (of the values), OUT, CHANNELS, HEIGHT, WIDTH, PATCH, COLS, CLASS (0, 1), BYTES (1: pixels are bytes [H, W, C] of a
// table).
#include "simt_tile.cuh"

#if BYTES
using Pixel = uint8_t;
#else
using Pixel = IN;
#endif

struct Params {
  const Pixel* pixels;
  OUT* y;
  const float *w, *bias, *class_token, *position;
  const IN* table;
  float scale;
  int64_t batch;
};

constexpr int kAcross = WIDTH / PATCH, kPatches = HEIGHT / PATCH * kAcross, kTokens = kPatches + CLASS;
constexpr int64_t kK = int64_t(CHANNELS) * PATCH * PATCH, kColumnTiles = (COLS + kTile - 1) / kTile;

OCTET_DEVICE float value_at(const Params& p, int64_t item, int64_t channel, int64_t y, int64_t x) {
#if BYTES
  return to_f32(p.table[channel * 256 + p.pixels[((item * HEIGHT + y) * WIDTH + x) * CHANNELS + channel]]);
#else
  return to_f32(p.pixels[((item * CHANNELS + channel) * HEIGHT + y) * WIDTH + x]);
#endif
}

extern "C" __global__ void __launch_bounds__(256) patch_embed_simt(const __grid_constant__ Params p) {
  wait_for_predecessor();
  let_successor_start();
  const int64_t rows = p.batch * kTokens;
  simt_tile(
      blockIdx.x / kColumnTiles * kTile, blockIdx.x % kColumnTiles * kTile, kK,
      [&](int64_t row, int64_t k) {
        const int64_t patch = row % kTokens - CLASS;
        if (row >= rows || k >= kK || patch < 0) return 0.0f;
        const int64_t channel = k / (PATCH * PATCH), y = k % (PATCH * PATCH) / PATCH, x = k % PATCH;
        return value_at(p, row / kTokens, channel, patch / kAcross * PATCH + y, patch % kAcross * PATCH + x);
      },
      [&](int64_t column, int64_t k) { return column < COLS && k < kK ? p.w[column * kK + k] : 0.0f; },
      [&](int64_t row, int64_t column, float sum) {
        if (row >= rows || column >= COLS) return;
        const int64_t token = row % kTokens;
        const float start = CLASS && token == 0 ? p.class_token[column] : fmaf(sum, p.scale, p.bias[column]);
        p.y[row * COLS + column] = from_f32<OUT>(start + p.position[token * COLS + column]);
      });
}
