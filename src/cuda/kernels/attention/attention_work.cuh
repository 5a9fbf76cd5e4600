// What the persistent warpgroup kernels share: pieces of work, and asynchronous copies of a head's rows into shared memory as warpgroup
// products want them. Rows of 64 elements; 16-byte chunks exchanged by (chunk ^ row % 8) in rows of 128 bytes, by (chunk ^ row / 2 % 4) in
// rows of 64.
#pragma once
#include "attention_lanes.cuh"
#include "hopper.cuh"

static_assert(HEAD_DIM == 64 && TOKENS > 16 && TOKENS <= 264);
// Blocks of 64 queries; up to 16 left over are the tail.
constexpr int kThreads = 128, kRest = TOKENS % 64, kTail = kRest <= 16 ? kRest : 0, kBlocks = TOKENS / 64 + (kRest > 16);
constexpr int kRowBytes = HEAD_DIM * int(sizeof(IN)), kChunks = kRowBytes / 16, kRowsAtOnce = kThreads / kChunks;

// One head, or some of its blocks of queries: work `index` of the launch. The first p.whole are whole heads.
struct Work {
  int item, begin, end;

  OCTET_DEVICE Work(const AttentionParams& p, int index) {
    const int split = index - p.whole, parts = split < 0 ? 1 : p.parts, part = split < 0 ? 0 : split % parts;
    item = split < 0 ? index : p.whole + split / parts;
    item = p.last < 0 ? item : p.last - item;
    begin = kBlocks * part / parts, end = kBlocks * (part + 1) / parts;
  }
  OCTET_DEVICE int64_t token() const { return int64_t(item / HEADS) * TOKENS; }
  OCTET_DEVICE int column() const { return item % HEADS * HEAD_DIM; }
  OCTET_DEVICE bool has_tail() const { return kTail > 0 && end == kBlocks; }
  OCTET_DEVICE OUT* out(const AttentionParams& p) const { return p.out + (token() * HEADS * HEAD_DIM + column()); }
};

OCTET_DEVICE uint32_t place(int row, int chunk) {
  return row * kRowBytes + ((chunk ^ (kChunks == 8 ? row & 7 : (row >> 1) & 3)) << 4);
}
OCTET_DEVICE void copy16(uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}
// kRows rows of `work` from token `first` on, of which those before `valid` exist.
template <int kRows>
OCTET_DEVICE void copy_rows(uint32_t to, const IN* from, int64_t stride, const Work& work, int first, int valid) {
  const int thread = thread_id(), row = thread / kChunks, chunk = thread % kChunks;
  to += place(row, chunk);
  from += (work.token() + first + row) * stride + work.column() + chunk * (16 / int(sizeof(IN)));
#pragma unroll 1
  for (int i = row; i < (kRows < valid ? kRows : valid); i += kRowsAtOnce, to += kRowsAtOnce * kRowBytes, from += kRowsAtOnce * stride)
    copy16(to, from);
}
// What has been asked for since the last time is one group.
OCTET_DEVICE void end_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until at most kPending groups are under way; then every thread's rows are there for products.
template <int kPending>
OCTET_DEVICE void wait_for_groups() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
  publish_to_async();
  __syncthreads();
}
// Zeros for [from, to) of shared memory, multiples of 16: what no copy fills and products read, since 0 * NaN is NaN.
OCTET_DEVICE void clear(uint8_t* shared, int from, int to) {
  for (int at = from + thread_id() * 16; at < to; at += kThreads * 16) *reinterpret_cast<uint4*>(shared + at) = make_uint4(0, 0, 0, 0);
}
