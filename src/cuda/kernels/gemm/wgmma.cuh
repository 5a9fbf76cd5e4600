// Products of a warpgroup with both operands in shared memory, 128 or 256 columns. sm_90a only. Source: PTX ISA 9.0, wgmma.
#pragma once
#include "hopper.cuh"

// ---- wgmma ----
// A K-major operand in shared memory, rows of 128 bytes under the 128-byte swizzle: groups of 8 rows are 1024 bytes apart. A step along K
// inside a row adds its bytes / 16.
OCTET_DEVICE uint64_t operand(uint32_t address) {
  constexpr uint64_t kSwizzle128 = 1ull << 62, kGroupStride = uint64_t(1024 / 16) << 32, kLeading = 1ull << 16;
  return kSwizzle128 | kGroupStride | kLeading | ((address & 0x3ffffu) >> 4);
}
#define OCTET_LIST_128                                                               \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define OCTET_LIST_256                                                                               \
  OCTET_LIST_128                                                                                     \
      ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "           \
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "             \
      "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
      "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define OCTET_F4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define OCTET_F16(d, i) OCTET_F4(d, i), OCTET_F4(d, i + 4), OCTET_F4(d, i + 8), OCTET_F4(d, i + 12)
#define OCTET_F64(d, i) OCTET_F16(d, i), OCTET_F16(d, i + 16), OCTET_F16(d, i + 32), OCTET_F16(d, i + 48)
#define OCTET_REGISTERS_128(d) OCTET_F64(d, 0)
#define OCTET_REGISTERS_256(d) OCTET_F64(d, 0), OCTET_F64(d, 64)

// d[64, N] (+)= a[64, k] * b[N, k]^T with a and b in shared memory; `add` == 0 starts a new sum. TYPES names the instruction's k and
// types, LAST its last operands (16-bit types say that neither operand is transposed).
#define OCTET_WGMMA(NAME, N, TYPES, LAST, A, B, ADD)                                                                            \
  OCTET_DEVICE void NAME(float(&d)[N / 2], uint64_t a, uint64_t b, uint32_t add) {                                              \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " ADD ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N TYPES " {" OCTET_LIST_##N \
                 "}, " A ", " B ", p, 1, 1" LAST ";\n}"                                                                         \
                 : OCTET_REGISTERS_##N(d)                                                                                       \
                 : "l"(a), "l"(b), "r"(add));                                                                                   \
  }
#define OCTET_WGMMA_TYPES(N, A, B, ADD)                             \
  OCTET_WGMMA(wgmma_e4m3, N, "k32.f32.e4m3.e4m3", "", A, B, ADD)    \
  OCTET_WGMMA(wgmma_f16, N, "k16.f32.f16.f16", ", 0, 0", A, B, ADD) \
  OCTET_WGMMA(wgmma_bf16, N, "k16.f32.bf16.bf16", ", 0, 0", A, B, ADD)
OCTET_WGMMA_TYPES(128, "%64", "%65", "%66")
OCTET_WGMMA_TYPES(256, "%128", "%129", "%130")

template <class T, int N>
OCTET_DEVICE void wgmma(float (&d)[N], uint64_t a, uint64_t b, uint32_t add) {
  if constexpr (is_same<T, e4m3>) wgmma_e4m3(d, a, b, add);
  else if constexpr (is_same<T, f16>) wgmma_f16(d, a, b, add);
  else wgmma_bf16(d, a, b, add);
}
