// One row of each item, a block an item. Every warp finds the row for itself.
// Defines: IDS (int32_t, int64_t), MODE (0 index, 1 argmax, 2 first equal), ROWS, ROW_BYTES, TOKENS, WORD (bytes a thread copies: 16, 4,
// 1).
#include "common.cuh"

struct Params {
  const uint8_t* x;
  const IDS* ids;
  uint8_t* y;
  int64_t index;
};

OCTET_DEVICE int64_t chosen_row(const Params& p) {
  if constexpr (MODE == 0) return p.index;
  const IDS* ids = p.ids + int64_t(blockIdx.x) * TOKENS;
  const int lane = int(threadIdx.x % 32);
  // Of this lane's tokens: the wanted one that comes first, TOKENS if none. Lanes without a token take part with the worst.
  int64_t best = -0x7fffffffffffffffLL - 1;
  int first = TOKENS;
  for (int t = lane; t < TOKENS; t += 32) {
    const int64_t id = ids[t];
    const bool better = MODE == 1 ? first == TOKENS || id > best : first == TOKENS && id == p.index;
    if (better) best = id, first = t;
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    const int64_t other = __shfl_xor_sync(0xffffffffu, best, distance);
    const int at = __shfl_xor_sync(0xffffffffu, first, distance);
    const bool better = MODE == 1 ? other > best || (other == best && at < first) : at < first;
    if (better) best = other, first = at;
  }
  return first == TOKENS ? 0 : first;
}

template <int kBytes>
struct Word;
template <>
struct Word<16> {
  using Type = uint4;
};
template <>
struct Word<4> {
  using Type = uint32_t;
};
template <>
struct Word<1> {
  using Type = uint8_t;
};

extern "C" __global__ void __launch_bounds__(128) pool(const __grid_constant__ Params p) {
  using Type = typename Word<WORD>::Type;
  wait_for_predecessor();
  let_successor_start();
  const Type* x = reinterpret_cast<const Type*>(p.x + (int64_t(blockIdx.x) * ROWS + chosen_row(p)) * ROW_BYTES);
  Type* y = reinterpret_cast<Type*>(p.y + int64_t(blockIdx.x) * ROW_BYTES);
  for (int64_t i = threadIdx.x; i < ROW_BYTES / WORD; i += blockDim.x) y[i] = x[i];
}
