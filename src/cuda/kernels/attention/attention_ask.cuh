// What a piece of work begins with: its keys, its first block of queries, the tail's queries. The including kernel says where they lie in
// shared memory, in bytes: kKeysAt, kQueriesAt, kTailAt.
#pragma once
#include "attention_work.cuh"

OCTET_DEVICE void ask_queries(const AttentionParams& p, const Work& work, uint32_t shared, int block) {
  copy_rows<64>(shared + kQueriesAt, p.q, p.q_stride, work, block * 64, TOKENS - block * 64);
}
OCTET_DEVICE void ask_keys(const AttentionParams& p, const Work& work, uint32_t shared) {
  copy_rows<TOKENS>(shared + kKeysAt, p.k, p.k_stride, work, 0, TOKENS);
  ask_queries(p, work, shared, work.begin);
  if (work.has_tail()) copy_rows<16>(shared + kTailAt, p.q, p.q_stride, work, TOKENS - kTail, kTail);
}
