// Hopper's warpgroup products and copy engine as functions: mbarriers, bulk tensor copies, wgmma. sm_90a only.
// Source: PTX ISA 9.0, sections on mbarrier, cp.async.bulk.tensor and wgmma.
#pragma once
#include "common.cuh"

struct alignas(64) TensorMap {
  uint64_t opaque[16];
};

OCTET_DEVICE uint32_t shared_address(const void* pointer) { return uint32_t(__cvta_generic_to_shared(pointer)); }

// True in one lane of a converged warp. The compiler then knows that one thread issues what follows.
OCTET_DEVICE bool elected() {
  uint32_t chosen;
  asm volatile("{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\nselp.u32 %0, 1, 0, p;\n}" : "=r"(chosen));
  return chosen;
}

// ---- mbarrier ----
OCTET_DEVICE void barrier_init(uint32_t barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
// Makes initialised barriers visible to the copy engine and to the other blocks of the cluster.
OCTET_DEVICE void barrier_init_done() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
// One arrival, and `bytes` more to come from the copy engine in this phase.
OCTET_DEVICE void barrier_expect(uint32_t barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
OCTET_DEVICE void barrier_arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// On the barrier at the same place in block `rank` of the cluster. Not .release.cluster: that drains every store of the GPU's memory
// before each arrival (measured: products at half speed), and what an arrival says here is only that shared memory has been read.
OCTET_DEVICE void barrier_arrive_at(uint32_t barrier, uint32_t rank) {
  asm volatile(
      "{\n.reg .b32 remote;\nmapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [remote];\n}" ::"r"(barrier), "r"(rank)
      : "memory");
}
// Until the phase of that parity is complete.
OCTET_DEVICE void barrier_wait(uint32_t barrier, uint32_t parity) {
  asm volatile(
      "{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@done bra finished;\nbra again;\nfinished:\n}" ::"r"(barrier), "r"(parity)
      : "memory");
}

// ---- clusters ----
OCTET_DEVICE uint32_t cluster_rank() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
OCTET_DEVICE void cluster_sync() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

// ---- bulk tensor copies: a box of the map at (column, row) into shared memory, counted on `barrier` ----
OCTET_DEVICE void prefetch_map(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}
OCTET_DEVICE void copy_box(uint32_t to, const TensorMap& map, int32_t column, int32_t row, uint32_t barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(to),
               "l"(&map), "r"(column), "r"(row), "r"(barrier)
               : "memory");
}
// To the same place in every block of `mask`, counted on the barrier at the same place there.
OCTET_DEVICE void copy_box_to_all(uint32_t to, const TensorMap& map, int32_t column, int32_t row, uint32_t barrier, uint16_t mask) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%2, %3}], [%4], %5;" ::
          "r"(to),
      "l"(&map), "r"(column), "r"(row), "r"(barrier), "h"(mask)
      : "memory");
}

// A run of bytes, both ends and the count multiples of 16.
OCTET_DEVICE void copy_bytes(uint32_t to, uint64_t from, uint32_t bytes, uint32_t barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to), "l"(from), "r"(bytes),
               "r"(barrier)
               : "memory");
}

// ---- wgmma ----
// A K-major operand in shared memory, rows of 128 bytes under the 128-byte swizzle: groups of 8 rows are 1024 bytes apart. A step along K
// inside a row adds its bytes / 16.
OCTET_DEVICE uint64_t operand(uint32_t address) {
  constexpr uint64_t kSwizzle128 = 1ull << 62, kGroupStride = uint64_t(1024 / 16) << 32, kLeading = 1ull << 16;
  return kSwizzle128 | kGroupStride | kLeading | ((address & 0x3ffffu) >> 4);
}
OCTET_DEVICE void wgmma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
OCTET_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int PENDING> OCTET_DEVICE void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory"); }

#define OCTET_LIST_128 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "  \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "  \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "  \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63" 
#define OCTET_LIST_192 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "  \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "  \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "  \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "  \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "  \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95" 
#define OCTET_LIST_256 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "  \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "  \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "  \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "  \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "  \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "  \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "  \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127" 
#define OCTET_F4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define OCTET_F16(d, i) OCTET_F4(d, i), OCTET_F4(d, i + 4), OCTET_F4(d, i + 8), OCTET_F4(d, i + 12)
#define OCTET_F64(d, i) OCTET_F16(d, i), OCTET_F16(d, i + 16), OCTET_F16(d, i + 32), OCTET_F16(d, i + 48)
#define OCTET_REGISTERS_128(d) OCTET_F64(d, 0)
#define OCTET_REGISTERS_192(d) OCTET_F64(d, 0), OCTET_F16(d, 64), OCTET_F16(d, 80)
#define OCTET_REGISTERS_256(d) OCTET_F64(d, 0), OCTET_F64(d, 64)

// d[64, N] (+)= a[64, k] * b[N, k]^T with a and b in shared memory; `add` == 0 starts a new sum. TYPES names the instruction's k and
// types, LAST its last operands (16-bit types say that neither operand is transposed).
#define OCTET_WGMMA(NAME, N, TYPES, LAST, A, B, ADD)                                                                              \
  OCTET_DEVICE void NAME(float (&d)[N / 2], uint64_t a, uint64_t b, uint32_t add) {                                               \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " ADD ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N TYPES " {" OCTET_LIST_##N   \
                 "}, " A ", " B ", p, 1, 1" LAST ";\n}"                                                                           \
                 : OCTET_REGISTERS_##N(d)                                                                                         \
                 : "l"(a), "l"(b), "r"(add));                                                                                     \
  }
#define OCTET_WGMMA_TYPES(N, A, B, ADD)                                                     \
  OCTET_WGMMA(wgmma_e4m3, N, "k32.f32.e4m3.e4m3", "", A, B, ADD)                            \
  OCTET_WGMMA(wgmma_f16, N, "k16.f32.f16.f16", ", 0, 0", A, B, ADD)                         \
  OCTET_WGMMA(wgmma_bf16, N, "k16.f32.bf16.bf16", ", 0, 0", A, B, ADD)
OCTET_WGMMA_TYPES(128, "%64", "%65", "%66")
OCTET_WGMMA_TYPES(192, "%96", "%97", "%98")
OCTET_WGMMA_TYPES(256, "%128", "%129", "%130")

template <class T, int N> OCTET_DEVICE void wgmma(float (&d)[N], uint64_t a, uint64_t b, uint32_t add) {
  if constexpr (is_same<T, e4m3>) wgmma_e4m3(d, a, b, add);
  else if constexpr (is_same<T, f16>) wgmma_f16(d, a, b, add);
  else wgmma_bf16(d, a, b, add);
}

// How many registers each thread of this warpgroup may use from here on.
template <int COUNT> OCTET_DEVICE void registers_down() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT)); }
template <int COUNT> OCTET_DEVICE void registers_up() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT)); }
