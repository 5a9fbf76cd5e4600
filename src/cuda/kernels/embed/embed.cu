// Token and position embedding, a warp a row. Defines: IDS (int32_t, int64_t), TYPE (of tables and output), TOKENS, COLS, VOCABULARY.
#include "vectors.cuh"

struct Params {
  const IDS* ids;
  const TYPE *token, *position;
  TYPE* y;
  int64_t rows;
};

constexpr int kWarps = 4;

extern "C" __global__ void __launch_bounds__(32 * kWarps) embed(const __grid_constant__ Params p) {
  const uint32_t lane = threadIdx.x % 32;
  const int64_t row = int64_t(blockIdx.x) * kWarps + threadIdx.x / 32;
  wait_for_predecessor();
  let_successor_start();
  if (row >= p.rows) return;
  const int64_t given = p.ids[row], id = given < 0 ? 0 : given >= VOCABULARY ? VOCABULARY - 1 : given;
  const TYPE *token = p.token + id * COLS, *position = p.position + row % TOKENS * COLS;
  TYPE* y = p.y + row * COLS;
  if constexpr (COLS % kVector == 0) {
#pragma unroll 4
    for (int c = int(lane) * kVector; c < COLS; c += 32 * kVector) {
      float a[kVector], b[kVector];
      const Packed<TYPE> from_token = Packed<TYPE>::load(token + c), from_position = Packed<TYPE>::load(position + c);
      from_token.decode(a);
      from_position.decode(b);
      for (int i = 0; i < kVector; ++i) a[i] += b[i];
      Packed<TYPE>::encode(a).store(y + c);
    }
  } else {
    for (int c = int(lane); c < COLS; c += 32) y[c] = from_f32<TYPE>(to_f32(token[c]) + to_f32(position[c]));
  }
}
