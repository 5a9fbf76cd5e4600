// Asks for the memory that a tile loop needs next, a few lines after each tile step, so that it is in L2 by then. Included by
// gemm_amx.cpp only.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace octet::cpu {
namespace {

class Ahead {
 public:
  // `bytes` from `first` on, within `tile_steps` calls of step().
  void begin(const void* first, int64_t bytes, int64_t tile_steps) {
    at_ = static_cast<const char*>(first), left_ = bytes / 64;
    rate_ = (left_ + tile_steps - 1) / tile_steps;
  }
  void step() {
    const int64_t count = rate_ < left_ ? rate_ : left_;
    left_ -= count;
    for (const char* end = at_ + count * 64; at_ != end; at_ += 64) _mm_prefetch(at_, _MM_HINT_T1);
  }

 private:
  const char* at_ = nullptr;
  int64_t left_ = 0, rate_ = 0;
};

}  // namespace
}  // namespace octet::cpu
