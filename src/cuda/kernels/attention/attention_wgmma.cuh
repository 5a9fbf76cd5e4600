// Warpgroup matrix products of sm_90a, and the order of their memory. A warpgroup (128 threads) multiplies 64 rows, 16 a warp, by
// operands in shared memory: rows of 128 bytes in blocks of 8, their 16-byte chunks exchanged by (chunk ^ row % 8). A thread's results
// are those of its warp's m16n8 tiles: d[4 * j + e] is element e of tile j.
#pragma once
#include "hopper.cuh"
#include "mma.cuh"

// Of the operand that begins at `shared`: a row that is a multiple of 8, plus 32 for every 16 columns. 1024 bytes from block to block,
// swizzle over 128 bytes.
OCTET_DEVICE uint64_t matrix_descriptor(uint32_t shared) {
  return uint64_t((shared & 0x3ffffu) >> 4) | (64ull << 16) | (64ull << 32) | (1ull << 62);
}

// clang-format off
#define OCTET_EIGHT(i)                                                                                                                  \
  "+f"(d[kAt + i]), "+f"(d[kAt + i + 1]), "+f"(d[kAt + i + 2]), "+f"(d[kAt + i + 3]), "+f"(d[kAt + i + 4]), "+f"(d[kAt + i + 5]),     \
      "+f"(d[kAt + i + 6]), "+f"(d[kAt + i + 7])
#define OCTET_LIST8 "%0, %1, %2, %3, %4, %5, %6, %7"
#define OCTET_LIST16 OCTET_LIST8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define OCTET_LIST24 OCTET_LIST16 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define OCTET_LIST32 OCTET_LIST24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define OCTET_LIST40 OCTET_LIST32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define OCTET_LIST48 OCTET_LIST40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define OCTET_LIST56 OCTET_LIST48 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define OCTET_LIST64 OCTET_LIST56 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define OCTET_REGISTERS8 OCTET_EIGHT(0)
#define OCTET_REGISTERS16 OCTET_REGISTERS8, OCTET_EIGHT(8)
#define OCTET_REGISTERS24 OCTET_REGISTERS16, OCTET_EIGHT(16)
#define OCTET_REGISTERS32 OCTET_REGISTERS24, OCTET_EIGHT(24)
#define OCTET_REGISTERS40 OCTET_REGISTERS32, OCTET_EIGHT(32)
#define OCTET_REGISTERS48 OCTET_REGISTERS40, OCTET_EIGHT(40)
#define OCTET_REGISTERS56 OCTET_REGISTERS48, OCTET_EIGHT(48)
#define OCTET_REGISTERS64 OCTET_REGISTERS56, OCTET_EIGHT(56)
#define OCTET_SCORES_OF(columns, registers, type, a_, b_, sum)                                                                          \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, " #sum ", 0; wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." type "." type " {"     \
               OCTET_LIST##registers "}, " #a_ ", " #b_ ", p, 1, 1, 0, 0; }"                                                             \
               : OCTET_REGISTERS##registers : "l"(a), "l"(b), "r"(int(accumulate)))
#define OCTET_SCORES(columns, registers, a_, b_, sum)                                                    \
  if constexpr (kColumns == columns && kBf16) OCTET_SCORES_OF(columns, registers, "bf16", a_, b_, sum);  \
  if constexpr (kColumns == columns && !kBf16) OCTET_SCORES_OF(columns, registers, "f16", a_, b_, sum);

// d[kAt ...] (+)= 16 columns of 64 rows of a times those of kColumns rows of b. Asynchronous, as are all products: between
// wgmma_begin and wgmma_wait.
template <bool kBf16, int kColumns, int kAt, int kSize>
OCTET_DEVICE void multiply_rows(float (&d)[kSize], uint64_t a, uint64_t b, bool accumulate) {
  static_assert(kColumns % 16 == 0 && kColumns <= 128 && kAt + kColumns / 2 <= kSize);
  OCTET_SCORES(16, 8, %8, %9, %10)
  OCTET_SCORES(32, 16, %16, %17, %18)
  OCTET_SCORES(48, 24, %24, %25, %26)
  OCTET_SCORES(64, 32, %32, %33, %34)
  OCTET_SCORES(80, 40, %40, %41, %42)
  OCTET_SCORES(96, 48, %48, %49, %50)
  OCTET_SCORES(112, 56, %56, %57, %58)
  OCTET_SCORES(128, 64, %64, %65, %66)
}
#define OCTET_VALUES(type)                                                                                                              \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %37, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type " {" OCTET_LIST32      \
               "}, {%32, %33, %34, %35}, %36, p, 1, 1, 1; }"                                                                              \
               : OCTET_REGISTERS32 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int(accumulate)))
// clang-format on
// d (+)= the 16 columns of a (m16n8k16 operands, one a warp) times 16 rows of 64 of b.
template <bool kBf16>
OCTET_DEVICE void multiply_columns(float (&d)[32], const uint32_t (&a)[4], uint64_t b, bool accumulate) {
  constexpr int kAt = 0;
  if constexpr (kBf16) OCTET_VALUES("bf16");
  else OCTET_VALUES("f16");
}
