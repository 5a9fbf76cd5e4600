// Warpgroup matrix products of sm_90a, and the order of their memory. A warpgroup (128 threads) multiplies 64 rows, 16 a warp, by
// operands in shared memory: rows of 128 bytes in blocks of 8, their 16-byte chunks exchanged by (chunk ^ row % 8). A thread's results
// are those of its warp's m16n8 tiles: d[4 * j + e] is element e of tile j.
#pragma once
#include "hopper.cuh"
#include "mma.cuh"

// Layouts of operands in shared memory: rows of 128 bytes, 1024 from 8 rows to the next 8, 16-byte chunks exchanged by (chunk ^ row % 8); rows
// of 64 bytes, 512, (chunk ^ row / 2 % 4); and 8 rows of 16 bytes at a time, as a column of `along` bytes between neighbours in K and `across`
// between neighbours in M or N. A step along K inside a row adds its bytes / 16.
OCTET_DEVICE uint64_t rows128(uint32_t shared) {
  return uint64_t((shared & 0x3ffffu) >> 4) | (64ull << 16) | (64ull << 32) | (1ull << 62);
}
OCTET_DEVICE uint64_t rows64(uint32_t shared) {
  return uint64_t((shared & 0x3ffffu) >> 4) | (1ull << 16) | (32ull << 32) | (2ull << 62);
}
template <uint32_t kAlong, uint32_t kAcross>
OCTET_DEVICE uint64_t cores(uint32_t shared) {
  return uint64_t((shared & 0x3ffffu) >> 4) | (uint64_t(kAlong / 16) << 16) | (uint64_t(kAcross / 16) << 32);
}

// clang-format off
#define OCTET_EIGHT(i)                                                                                                                  \
  "+f"(d[kAt + i]), "+f"(d[kAt + i + 1]), "+f"(d[kAt + i + 2]), "+f"(d[kAt + i + 3]), "+f"(d[kAt + i + 4]), "+f"(d[kAt + i + 5]),     \
      "+f"(d[kAt + i + 6]), "+f"(d[kAt + i + 7])
#define OCTET_LIST4 "%0, %1, %2, %3"
#define OCTET_LIST8 "%0, %1, %2, %3, %4, %5, %6, %7"
#define OCTET_LIST16 OCTET_LIST8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define OCTET_LIST24 OCTET_LIST16 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define OCTET_LIST32 OCTET_LIST24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define OCTET_LIST40 OCTET_LIST32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define OCTET_LIST48 OCTET_LIST40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define OCTET_LIST56 OCTET_LIST48 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define OCTET_LIST64 OCTET_LIST56 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define OCTET_REGISTERS4 "+f"(d[kAt]), "+f"(d[kAt + 1]), "+f"(d[kAt + 2]), "+f"(d[kAt + 3])
#define OCTET_REGISTERS8 OCTET_EIGHT(0)
#define OCTET_REGISTERS16 OCTET_REGISTERS8, OCTET_EIGHT(8)
#define OCTET_REGISTERS24 OCTET_REGISTERS16, OCTET_EIGHT(16)
#define OCTET_REGISTERS32 OCTET_REGISTERS24, OCTET_EIGHT(24)
#define OCTET_REGISTERS40 OCTET_REGISTERS32, OCTET_EIGHT(32)
#define OCTET_REGISTERS48 OCTET_REGISTERS40, OCTET_EIGHT(40)
#define OCTET_REGISTERS56 OCTET_REGISTERS48, OCTET_EIGHT(48)
#define OCTET_REGISTERS64 OCTET_REGISTERS56, OCTET_EIGHT(56)
#define OCTET_ROWS_OF(columns, registers, types, last, a_, b_, sum)                                                               \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, " #sum ", 0; wgmma.mma_async.sync.aligned.m64n" #columns types " {"                  \
               OCTET_LIST##registers "}, " #a_ ", " #b_ ", p, 1, 1" last "; }"                                                      \
               : OCTET_REGISTERS##registers : "l"(a), "l"(b), "r"(int(accumulate)))
#define OCTET_ROWS(columns, registers, ...)                                                                                        \
  if constexpr (kColumns == columns && is_same<T, e4m3>) OCTET_ROWS_OF(columns, registers, "k32.f32.e4m3.e4m3", "", __VA_ARGS__);   \
  if constexpr (kColumns == columns && is_same<T, f16>) OCTET_ROWS_OF(columns, registers, "k16.f32.f16.f16", ", 0, 0", __VA_ARGS__); \
  if constexpr (kColumns == columns && is_same<T, bf16>) OCTET_ROWS_OF(columns, registers, "k16.f32.bf16.bf16", ", 0, 0", __VA_ARGS__);

// d[kAt ...] (+)= 32 bytes of 64 rows of a times those of kColumns rows of b, elements of T. Asynchronous, as are all products: between
// wgmma_begin and wgmma_wait.
template <class T, int kColumns, int kAt, int kSize>
OCTET_DEVICE void multiply_rows(float (&d)[kSize], uint64_t a, uint64_t b, bool accumulate) {
  static_assert((kColumns == 8 || kColumns % 16 == 0) && kColumns <= 128 && kAt + kColumns / 2 <= kSize);
  OCTET_ROWS(8, 4, %4, %5, %6)
  OCTET_ROWS(16, 8, %8, %9, %10)
  OCTET_ROWS(32, 16, %16, %17, %18)
  OCTET_ROWS(48, 24, %24, %25, %26)
  OCTET_ROWS(64, 32, %32, %33, %34)
  OCTET_ROWS(80, 40, %40, %41, %42)
  OCTET_ROWS(96, 48, %48, %49, %50)
  OCTET_ROWS(112, 56, %56, %57, %58)
  OCTET_ROWS(128, 64, %64, %65, %66)
}
#define OCTET_COLUMNS(types, last)                                                                                                 \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %37, 0; wgmma.mma_async.sync.aligned.m64n64" types " {" OCTET_LIST32                 \
               "}, {%32, %33, %34, %35}, %36, p, 1, 1" last "; }"                                                                   \
               : OCTET_REGISTERS32 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int(accumulate)))
// clang-format on
// d (+)= a, 32 bytes of 64 rows in registers (a warp's 16: the first operand of mma m16n8k16 or m16n8k32), times 64 columns of b: of
// 16-bit elements the columns of 16 rows, of 8-bit ones 32 bytes of 64 rows.
template <class T>
OCTET_DEVICE void multiply_columns(float (&d)[32], const uint32_t (&a)[4], uint64_t b, bool accumulate) {
  constexpr int kAt = 0;
  if constexpr (is_same<T, e4m3>) OCTET_COLUMNS("k32.f32.e4m3.e4m3", "");
  else if constexpr (is_same<T, bf16>) OCTET_COLUMNS("k16.f32.bf16.bf16", ", 1");
  else OCTET_COLUMNS("k16.f32.f16.f16", ", 1");
}
