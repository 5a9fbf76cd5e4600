// Who a thread is in a block of one warpgroup.
#pragma once
#include "attention.cuh"

constexpr int kTiles = (TOKENS + 7) / 8;  // of 8 tokens

// Read anew at every use, from one register or another: scores fill the registers, and the compiler would keep what it has computed.
OCTET_DEVICE int thread_id() {
  int x;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(x));
  return x;
}
OCTET_DEVICE int warp_id() { return thread_id() >> 5; }
OCTET_DEVICE int lane_id() { return thread_id() & 31; }  // = 4 * group + quad
OCTET_DEVICE int quad_id() { return thread_id() & 3; }
OCTET_DEVICE int group_id() {
  int lane;
  asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
  return lane >> 2;
}
OCTET_DEVICE int row_in_block() { return warp_id() * 16 + group_id(); }
